//! Where connections lead, and how what is written there is summed.

use std::net::SocketAddr;

use super::sums::Sums;

/// Where connections lead.
#[derive(Debug, Default)]
pub(super) struct Places(Vec<Place>);

#[derive(Debug)]
struct Place {
    address: SocketAddr,
    /// Its number in the sums, once something was written.
    session: Option<usize>,
}

impl Places {
    pub(super) fn add(&mut self, address: SocketAddr) -> usize {
        self.0.push(Place { address, session: None });
        self.0.len() - 1
    }

    /// The session of a connection to which something was written.
    pub(super) fn known(&self, connection: usize) -> Option<usize> {
        self.0.get(connection)?.session
    }

    /// The session of a connection, which `bytes` are the first of where it has none yet.
    #[inline]
    pub(super) fn session(&mut self, connection: usize, bytes: &[u8], sums: &mut Sums) -> usize {
        let Some(place) = self.0.get_mut(connection) else { return usize::MAX };
        if let Some(session) = place.session {
            return session;
        }
        let name = format!("{}{}", place.address, path_of(bytes));
        *place.session.insert(sums.session(&name))
    }
}

/// The path of a request, without what is asked; nothing where it is none.
fn path_of(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let path = words.nth(1).unwrap_or_default();
    let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
    match path.first() {
        Some(b'/') => String::from_utf8_lossy(path).into_owned(),
        _ => String::new(),
    }
}
