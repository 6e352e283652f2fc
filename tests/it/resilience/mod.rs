//! What must survive: killed processes, full and read-only disks, clocks that are set, copies made while others write.

pub(crate) mod backup;
mod crash;
mod failover;
mod faults;
mod race;
mod read_only;
mod read_replica;
mod shutdown;
