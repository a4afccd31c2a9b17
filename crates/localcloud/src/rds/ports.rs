//! Which port belongs to which name, as an endpoint of RDS does: it stays with the name when another instance gets it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use tokio::net::TcpSocket;

use super::instance::Instance;
use super::{Rds, failed};
use crate::process;
use crate::service::ApiError;

/// Ports that are kept from everybody else while no instance has their name: bound, but nothing listens.
#[derive(Default)]
pub(super) struct Parked(Mutex<BTreeMap<String, TcpSocket>>);

impl Parked {
    fn park(&self, name: &str, port: u16) {
        let socket = TcpSocket::new_v4().and_then(|socket| {
            socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
            Ok(socket)
        });
        match socket {
            Ok(socket) => {
                self.0
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(name.to_owned(), socket);
            }
            // It is needed only when an instance gets the name, and that one says who has it.
            Err(error) => tracing::warn!(name, port, %error, "the port of a database that was renamed cannot be kept"),
        }
    }

    fn free(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

impl Rds {
    /// The port of an instance that gets this name now.
    pub(super) async fn port_of(&self, name: &str) -> Result<u16, ApiError> {
        self.parked.free(name);
        let known = self.state.read().ports.get(name).copied();
        if let Some(port) = known
            && !process::listens(port).await
        {
            return Ok(port);
        }
        let port = process::free_port().map_err(failed)?;
        self.state.change(|state| {
            state.ports.insert(name.to_owned(), port);
            Ok(port)
        })
    }

    /// Keeps the port of a name that its instance gives up.
    pub(super) fn leave_port(&self, instance: &Instance) -> Result<(), ApiError> {
        self.state.change(|state| {
            state.ports.insert(instance.id.clone(), instance.port);
            Ok(())
        })?;
        self.parked.park(&instance.id, instance.port);
        Ok(())
    }

    pub(super) fn park_free_names(&self) {
        let state = self.state.read();
        for (name, port) in &state.ports {
            if !state.instances.contains_key(name) {
                self.parked.park(name, *port);
            }
        }
    }
}
