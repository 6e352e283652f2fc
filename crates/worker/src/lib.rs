//! Claims due registrations, executes the planned step, records what came back.
