"""Who gets how much: fair queues over principals, and the limits of one. Pure, without a clock."""
