#!/bin/sh
# Sets the policies of Sluice's queues on the node that rabbitmqctl finds. Run it again to change them; the same settings change nothing.
#
#   AMQP_PREFIX     as for Sluice (sluice)
#   VHOST           the virtual host of AMQP_URL (/)
#   LANE_MAX_BYTES  most bytes of jobs that wait in one lane; beyond it submitting is answered 429 queue_full (no limit). A lane that is
#                   drained takes jobs again. Do not lift the limit from a lane that is full: on RabbitMQ 3.10 those who were refused
#                   stay refused, even when it is empty, until they connect anew.
#
# Policies are tunables only. What safety needs is in the arguments of the queues, which Sluice declares by itself: no policy here or of
# yours should set delivery-limit, dead-letter-exchange, dead-letter-strategy, overflow, message-ttl or expires for them.
set -eu

prefix=${AMQP_PREFIX:-sluice}
vhost=${VHOST:-/}
# New queues are led by the node that leads fewest, not all by the one that Sluice happened to be connected to first.
spread='"queue-leader-locator":"balanced"'
case ${LANE_MAX_BYTES:-1} in
  0* | *[!0-9]*)
    echo "LANE_MAX_BYTES=$LANE_MAX_BYTES: it is a whole number of bytes, such as 10000000000; no policy was changed" >&2
    exit 2
    ;;
esac
limit=${LANE_MAX_BYTES:+",\"max-length-bytes\":$LANE_MAX_BYTES"}

# The lanes have a policy of their own, since of several that match a queue only one holds. A limit belongs on no other queue: the
# delay levels, the dead letters and the events must always find room.
rabbitmqctl set_policy --vhost "$vhost" --apply-to queues --priority 1 \
  "$prefix-lanes" "^$prefix\\.jobs\\." "{$spread${limit:-}}"
rabbitmqctl set_policy --vhost "$vhost" --apply-to queues --priority 1 \
  "$prefix-others" "^$prefix\\.(delay|suspects|dead|recorder)(\\.|\$)" "{$spread}"
