#!/bin/sh
echo "tool: $*"
id -u
cat /opt/app/version
