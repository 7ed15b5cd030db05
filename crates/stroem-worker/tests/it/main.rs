//! The worker against a server and a runner that live in the test: what arrives, what is lost, what is stopped.

#[cfg(test)]
mod adoption;
#[cfg(test)]
mod attempts;
#[cfg(test)]
mod disk;
mod drain;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod program;
#[cfg(test)]
mod registration;
#[cfg(test)]
mod runner;
#[cfg(test)]
mod server;
