#!/usr/bin/python3
"""glance-api whose file store can't read from the middle, as those of Ceph RBD, S3, Swift, VMware and HTTP can't.

What glance_store's drivers can do they say in _CAPABILITIES; everything else is the ordinary glance-api.
"""
import sys

# First: it patches the standard library for eventlet.
from glance.cmd.api import main
from glance_store._drivers import filesystem
from glance_store.capabilities import BitMasks

filesystem.Store._CAPABILITIES = BitMasks.RW_ACCESS

if __name__ == "__main__":
    sys.exit(main())
