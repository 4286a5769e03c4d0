"""Prints how many records a topic has: `topic.py HOST:PORT TOPIC`."""

import sys

from confluent_kafka import Consumer, TopicPartition

LIMIT_SECONDS = 10


def main():
    bootstrap, topic = sys.argv[1:]
    # A group is asked for, and never joined.
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "count", "enable.auto.commit": False})
    partitions = consumer.list_topics(topic, LIMIT_SECONDS).topics[topic].partitions
    ends = [consumer.get_watermark_offsets(TopicPartition(topic, number), LIMIT_SECONDS)[1] for number in partitions]
    consumer.close()
    print(sum(ends))


if __name__ == "__main__":
    main()
