//! Lists of hosts as pdsh and ClusterShell write them: `web[01-20],db1`, unfolded and folded.
