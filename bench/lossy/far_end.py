#!/usr/bin/python3
"""The far end of a link: takes connections on an address of its namespace and passes them on to a Unix socket, which namespaces
share. What it sends is sent by this congestion control. Usage: far_end.py ADDRESS PORT SOCKET CONGESTION_CONTROL"""
import socket
import sys
import threading

PIECE_BYTES = 65536
# linux/in.h
IP_FREEBIND = 15


def carry(source, target):
    try:
        while piece := source.recv(PIECE_BYTES):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        # One end is gone: so is the other one.
        for end in (source, target):
            end.close()


def main():
    address, port, path, control = sys.argv[1:]
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections have it from here.
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, control.encode())
    # The link may come up later.
    server.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
    server.bind((address, int(port)))
    server.listen(256)
    print("up", flush=True)
    while True:
        near, _ = server.accept()
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        far = socket.socket(socket.AF_UNIX)
        far.connect(path)
        for ends in ((near, far), (far, near)):
            threading.Thread(target=carry, args=ends, daemon=True).start()


main()
