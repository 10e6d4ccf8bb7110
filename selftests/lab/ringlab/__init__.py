# SPDX-License-Identifier: GPL-2.0
"""The lab: emulated hosts in which a kernel module can be loaded and tested."""
