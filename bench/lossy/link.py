#!/usr/bin/python3
"""A link between this network namespace and another one, on which each packet takes its time and some never arrive.

It does what `tc netem` does, which many kernels are built without: it carries the packets of two TUN devices from one to the
other. Usage: link.py NAMESPACE NEAR_ADDRESS FAR_ADDRESS DELAY_MS LOSS SEED. It says "up" when it is.
"""
import fcntl
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections import deque

# linux/if_tun.h
TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001
PACKET_BYTES = 65536


def make_device(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN_NO_PI))
    return device


def set_up(name, address, peer, prefix=()):
    ip = [*prefix, "ip"]
    subprocess.run([*ip, "address", "add", address, "peer", peer, "dev", name], check=True)
    # The bound is on what waits to be read here, not on what is on its way.
    subprocess.run([*ip, "link", "set", name, "txqueuelen", "10000", "up"], check=True)


def carry(near, far, delay, loss, chance):
    other = {near: far, far: near}
    poll = select.epoll()
    for device in other:
        poll.register(device, select.EPOLLIN)
    under_way = deque()
    while True:
        wait = -1 if not under_way else max(0.0, under_way[0][0] - time.monotonic())
        for device, _ in poll.poll(wait):
            due = time.monotonic() + delay
            try:
                while True:
                    packet = os.read(device, PACKET_BYTES)
                    if chance.random() >= loss:
                        under_way.append((due, other[device], packet))
            except BlockingIOError:
                pass
        now = time.monotonic()
        while under_way and under_way[0][0] <= now:
            _, device, packet = under_way.popleft()
            os.write(device, packet)


def main():
    namespace, near_address, far_address, delay_ms, loss, seed = sys.argv[1:]
    names = [f"{namespace}-near", f"{namespace}-far"]
    near, far = (make_device(name) for name in names)
    subprocess.run(["ip", "link", "set", names[1], "netns", namespace], check=True)
    set_up(names[0], near_address, far_address)
    set_up(names[1], far_address, near_address, ["ip", "netns", "exec", namespace])
    print("up", flush=True)
    carry(near, far, float(delay_ms) / 1000, float(loss), random.Random(int(seed)))


main()
