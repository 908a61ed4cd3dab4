"""Everything that knows Faust or Kafka: the workers, and what they are made of."""
