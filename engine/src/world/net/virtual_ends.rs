//! The ends of a virtual net: streams and listeners.

use std::io;
use std::net::SocketAddr;

use super::pipe::End;
use super::virtual_net::VirtualNet;

/// One end of a virtual connection. Dropping it ends both directions.
#[derive(Debug)]
pub struct VirtualStream {
    net: VirtualNet,
    connection: u64,
    /// 0 for the side that connected, 1 for the side that accepted.
    side: usize,
}

impl VirtualStream {
    pub(super) fn connect(net: &VirtualNet, address: SocketAddr) -> VirtualStream {
        VirtualStream { net: net.clone(), connection: net.connect(address), side: 0 }
    }

    pub(super) fn is_connected(&self) -> io::Result<bool> {
        self.net.is_connected(self.connection)
    }

    pub(super) fn shutdown_write(&self) {
        self.net.end(self.connection, self.side, End::Orderly);
    }

    pub(super) fn reset(&self) {
        self.net.end(self.connection, self.side, End::Reset);
    }

    pub(super) fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.net.receive(self.connection, self.side, bytes)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.net.send(self.connection, self.side, bytes)
    }
}

impl Drop for VirtualStream {
    fn drop(&mut self) {
        self.net.drop_end(self.connection, self.side);
    }
}

/// Takes connections at an address of a virtual net. Dropping it cuts those that wait.
#[derive(Debug)]
pub struct VirtualListener {
    net: VirtualNet,
    address: SocketAddr,
}

impl VirtualListener {
    pub(super) fn listen(net: &VirtualNet, address: SocketAddr) -> io::Result<VirtualListener> {
        Ok(VirtualListener { net: net.clone(), address: net.listen(address)? })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn accept(&self) -> io::Result<(VirtualStream, SocketAddr)> {
        let (connection, peer) = self.net.accept(self.address)?;
        Ok((VirtualStream { net: self.net.clone(), connection, side: 1 }, peer))
    }
}

impl Drop for VirtualListener {
    fn drop(&mut self) {
        self.net.stop_listening(self.address);
    }
}
