"""One picture of a snapshot, without a step or a question: members, versions, jobs, replication."""
