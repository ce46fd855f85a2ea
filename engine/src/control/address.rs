//! Where the control socket lies, and who may reach it.
//!
//! The socket is 0600 in a folder that only its owner may enter (0700), so that nobody else can
//! connect whatever the system makes of a socket's own mode. What a dead engine left behind is
//! replaced; a socket that somebody listens on is never touched.

#![allow(clippy::disallowed_methods, reason = "the control socket is of the real world")]

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use mio::net::{UnixListener, UnixStream};
use thiserror::Error;

/// Name of the socket in its folder, when the configuration gives none.
pub const SOCKET_NAME: &str = "pitlane.sock";

/// Longest path of a socket, bytes: the system's address has 108, one of them 0 at the end.
pub const PATH_BYTES_MAX: usize = 107;

/// Why there is no socket.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum SocketError {
    #[error(
        "[control] socket failed: {} has {} bytes, a socket's path at most {PATH_BYTES_MAX}; give \
         control.socket a shorter one (code: path_too_long)",
        .0.display(), .0.as_os_str().len()
    )]
    PathTooLong(PathBuf),
    #[error(
        "[control] socket failed: an engine listens at {} already (code: in_use)", .0.display()
    )]
    InUse(PathBuf),
    #[error("[control] socket failed: {} is there and no socket (code: no_socket)", .0.display())]
    NotASocket(PathBuf),
    #[error(
        "[control] socket failed: others may enter {} (mode {mode:04o}); chmod 700 it, or give \
         control.socket another folder (code: open_folder)", folder.display()
    )]
    OpenFolder { folder: PathBuf, mode: u32 },
    #[error(
        "[control] socket failed: {} belongs to user {owner}, not to user {us} (code: foreign_folder)",
        folder.display()
    )]
    ForeignFolder { folder: PathBuf, owner: u32, us: u32 },
    #[error("[control] socket failed: {}: {source} (code: io)", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// A socket that listens. Dropping it takes its file away.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) listener: UnixListener,
    pub(super) path: PathBuf,
    /// A folder that was made for it.
    folder: Option<PathBuf>,
}

impl Listening {
    /// Whether its file is still there for others.
    pub(super) fn is_there(&self) -> bool {
        let metadata = std::fs::symlink_metadata(&self.path);
        metadata.is_ok_and(|metadata| metadata.file_type().is_socket())
    }

    /// Closes it and takes nothing away: what is at its path is another one's.
    pub(super) fn abandon(mut self) {
        (self.path, self.folder) = (PathBuf::new(), None);
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may be gone.
        let _ = std::fs::remove_file(&self.path);
        if let Some(folder) = &self.folder {
            // It stays where it holds more.
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// Listens at `path`, or at the same place by a shorter path.
pub(super) fn listen(path: &Path) -> Result<Listening, SocketError> {
    let path = shortest(path)?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| SocketError::Io { path, source }
    };
    let is_new = make_folder(&folder).map_err(at(&folder))?;
    let open = File::open(&folder).map_err(at(&folder))?;
    check_folder(&folder, &open)?;
    // One engine at a time looks and binds here: none can take away what another has just made.
    open.lock().map_err(at(&folder))?;
    clear(&path)?;
    let listener = UnixListener::bind(&path).map_err(at(&path))?;
    let listening = Listening { listener, path, folder: is_new.then_some(folder) };
    let mode = Permissions::from_mode(0o600);
    std::fs::set_permissions(&listening.path, mode).map_err(at(&listening.path))?;
    Ok(listening)
}

/// Refuses a path that no socket can have: too long, in a folder that others may enter, or of
/// something else. That an engine listens there now is no fault of the path.
///
/// # Errors
/// [`SocketError`].
pub(crate) fn check_path(path: &Path) -> Result<(), SocketError> {
    let path = shortest(path)?;
    let Some(folder) = path.parent().filter(|folder| folder.exists()) else { return Ok(()) };
    let open =
        File::open(folder).map_err(|source| SocketError::Io { path: folder.to_owned(), source })?;
    check_folder(folder, &open)?;
    match std::fs::symlink_metadata(&path) {
        Ok(metadata) if !metadata.file_type().is_socket() => Err(SocketError::NotASocket(path)),
        _ => Ok(()),
    }
}

/// The whole path where it fits, so that others find it whatever their folder is; else the given
/// one.
fn shortest(path: &Path) -> Result<PathBuf, SocketError> {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let fits = |path: &Path| path.as_os_str().len() <= PATH_BYTES_MAX;
    match (fits(&whole), fits(path)) {
        (true, _) => Ok(whole),
        (false, true) => Ok(path.to_owned()),
        (false, false) => Err(SocketError::PathTooLong(whole)),
    }
}

/// Makes the folder and those above it; whether it was not there.
fn make_folder(folder: &Path) -> io::Result<bool> {
    if folder.is_dir() {
        return Ok(false);
    }
    if let Some(above) = folder.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(above)?;
    }
    DirBuilder::new().mode(0o700).create(folder)?;
    Ok(true)
}

fn check_folder(folder: &Path, open: &File) -> Result<(), SocketError> {
    let folder = folder.to_owned();
    let metadata = match open.metadata() {
        Ok(metadata) => metadata,
        Err(source) => return Err(SocketError::Io { path: folder, source }),
    };
    let us = rustix::process::geteuid().as_raw();
    if metadata.uid() != us {
        return Err(SocketError::ForeignFolder { folder, owner: metadata.uid(), us });
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SocketError::OpenFolder { folder, mode });
    }
    Ok(())
}

/// Takes away what a dead engine left at `path`.
fn clear(path: &Path) -> Result<(), SocketError> {
    let failed = |source| SocketError::Io { path: path.to_owned(), source };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(SocketError::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    // Without waiting: a listener that takes no more clients is one, too.
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            log::info!("[control] replacing {}, left by an engine that is gone", path.display());
            std::fs::remove_file(path).map_err(failed)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(_) | Err(_) => Err(SocketError::InUse(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_socket_is_0600_in_a_folder_of_its_own_and_both_go_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control").join(SOCKET_NAME);
        let listening = listen(&path).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        drop(listening);
        assert!(!path.exists() && !path.parent().unwrap().exists());
        assert!(dir.path().exists());
    }

    /// F25.
    #[test]
    fn a_folder_that_others_may_enter_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o750)).unwrap();
        let error = listen(&dir.path().join(SOCKET_NAME)).unwrap_err();
        assert!(matches!(error, SocketError::OpenFolder { mode: 0o750, .. }), "{error}");
        assert!(error.to_string().contains("chmod 700"), "{error}");
        assert!(!dir.path().join(SOCKET_NAME).exists());
    }

    #[test]
    fn what_can_be_no_socket_is_known_before_anything_listens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(SOCKET_NAME);
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        assert!(check_path(&path).is_ok() && check_path(&dir.path().join("none/a.sock")).is_ok());
        for is_file in [true, false] {
            match is_file {
                true => drop(File::create(&path).unwrap()),
                false => std::fs::create_dir(&path).unwrap(),
            }
            assert!(matches!(check_path(&path), Err(SocketError::NotASocket(_))));
            assert!(matches!(listen(&path), Err(SocketError::NotASocket(_))));
            std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir(&path)).unwrap();
        }
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(check_path(&path), Err(SocketError::OpenFolder { .. })));
    }

    #[test]
    fn a_dead_engines_socket_is_replaced_and_a_live_ones_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("control");
        DirBuilder::new().mode(0o700).create(&folder).unwrap();
        let path = folder.join(SOCKET_NAME);
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "std leaves the file behind");
        let living = listen(&path).unwrap();
        assert!(matches!(listen(&path), Err(SocketError::InUse(_))));
        assert!(path.exists());
        drop(living);
        std::fs::write(&path, "x").unwrap();
        assert!(matches!(listen(&path), Err(SocketError::NotASocket(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
    }

    #[test]
    fn a_path_that_no_address_holds_is_refused_with_its_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x".repeat(PATH_BYTES_MAX)).join(SOCKET_NAME);
        let error = listen(&path).unwrap_err();
        assert!(matches!(error, SocketError::PathTooLong(_)));
        assert!(error.to_string().contains("at most 107"), "{error}");
    }
}
