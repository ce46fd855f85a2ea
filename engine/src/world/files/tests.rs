//! What is promised of files, on the system's disk and on the virtual one, and the latter's faults.

use super::*;

/// Runs `check` on both, with a folder of each.
fn on_both(check: impl Fn(&Files, &Path)) {
    let dir = tempfile::tempdir().unwrap();
    check(&Files::Real, dir.path());
    let virtual_files = VirtualFiles::new(1, FileConditions::default());
    check(&Files::Virtual(virtual_files), Path::new("/disk"));
}

#[test]
fn a_file_grows_is_cut_renamed_and_removed() {
    on_both(|files, folder| {
        let path = folder.join("run").join("letters");
        let mut file = files.create_private(&path).unwrap();
        file.write_all(b"one two").unwrap();
        file.set_len(4).unwrap();
        file.write_all(b"three").unwrap();
        file.sync().unwrap();
        assert_eq!((file.len().unwrap(), file.is_empty().unwrap()), (9, false));
        assert_eq!(files.read_text(&path).unwrap(), "one three");
        drop(file);
        let mut file = files.append_private(&path).unwrap();
        file.write_all(b"!").unwrap();
        assert_eq!(files.read_text_and_mode(&path).unwrap(), ("one three!".to_owned(), 0o600));
        let aside = path.with_extension("1");
        files.rename(&path, &aside).unwrap();
        assert_eq!(files.list(&folder.join("run")).unwrap(), std::slice::from_ref(&aside));
        assert!(files.is_there(&aside) && !files.is_there(&path) && !file.has_vanished());
        files.remove(&aside).unwrap();
        assert!(file.has_vanished());
        assert_eq!(files.remove(&aside).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(files.read(&aside).unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_new_folder_is_made_once_and_an_old_one_stays() {
    on_both(|files, folder| {
        files.make_private_folder(folder).unwrap();
        let run = folder.join("run-1");
        files.make_new_folder(&run).unwrap();
        assert_eq!(files.make_new_folder(&run).unwrap_err().kind(), ErrorKind::AlreadyExists);
        files.make_private_folder(&run).unwrap();
        assert!(files.create_private(&run).is_err(), "a folder stands there");
    });
}

#[test]
fn only_the_owner_can_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run").join("file");
    Files::Real.create_private(&path).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    // Also where it was there before, for all to read.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    Files::Real.create_private(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn nothing_is_written_through_what_somebody_has_planted() {
    let dir = tempfile::tempdir().unwrap();
    let victim = dir.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&victim, &link).unwrap();
    let second_name = dir.path().join("second");
    std::fs::hard_link(&victim, &second_name).unwrap();
    let fifo = dir.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for planted in [&link, &second_name, &fifo, Path::new("/dev/full")] {
        assert!(Files::Real.create_private(planted).is_err(), "{}", planted.display());
    }
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
}

fn disk(conditions: FileConditions) -> (VirtualFiles, Files) {
    let disk = VirtualFiles::new(7, conditions);
    (disk.clone(), Files::Virtual(disk))
}

#[test]
fn a_full_disk_takes_a_part_and_goes_on_once_there_is_room() {
    let (disk, files) = disk(FileConditions { room_bytes: 10, ..FileConditions::default() });
    let path = Path::new("/run/letters");
    let mut file = files.create_private(path).unwrap();
    file.write_all(b"12345678").unwrap();
    assert_eq!(file.write_all(b"abcd").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!((files.read_text(path).unwrap().as_str(), disk.totals().full), ("12345678ab", 1));
    file.set_len(8).unwrap();
    disk.set_conditions(FileConditions::default());
    file.write_all(b"abcd").unwrap();
    assert_eq!(files.read_text(path).unwrap(), "12345678abcd");
}

#[test]
fn writes_tear_and_calls_are_refused_as_often_as_was_asked() {
    let (disk, files) = disk(FileConditions { torn_ppm: 500_000, ..FileConditions::default() });
    let mut file = files.create_private(Path::new("/a")).unwrap();
    let failed = (0..1_000).filter(|_| file.write_all(b"12345678").is_err()).count() as u64;
    assert!((400..600).contains(&failed), "{failed}");
    assert_eq!(disk.totals().torn, failed);
    let rate = FileConditions { refused_ppm: 500_000, sync_ppm: 500_000, ..Default::default() };
    disk.set_conditions(rate);
    let refused = (0..1_000).filter(|_| files.create_private(Path::new("/b")).is_err()).count();
    assert!((550..950).contains(&refused), "{refused}: two calls each");
    let not_synced = (0..1_000).filter(|_| file.sync().is_err()).count() as u64;
    assert_eq!(disk.totals().sync_failed, not_synced);
    assert!((400..600).contains(&not_synced), "{not_synced}");
}

#[test]
fn a_crash_keeps_what_was_synced_and_loses_some_of_the_rest() {
    let (disk, files) = disk(FileConditions::default());
    let path = Path::new("/journal");
    let mut file = files.create_private(path).unwrap();
    let mut expected = Vec::new();
    for record in 0..100_u8 {
        file.write_all(&[record; 10]).unwrap();
        expected.extend([record; 10]);
        if record == 49 {
            file.sync().unwrap();
        }
    }
    disk.crash();
    let left = files.read(path).unwrap();
    assert!(left.len() >= 500 && left.len() < 1_000, "{}", left.len());
    assert!(expected.starts_with(&left));
    assert_eq!(disk.totals().lost_bytes, 1_000 - left.len() as u64);
}

#[test]
fn a_folder_that_vanishes_takes_its_files_along() {
    let (disk, files) = disk(FileConditions::default());
    let path = Path::new("/runs/1/letters");
    let mut file = files.create_private(path).unwrap();
    disk.vanish(Path::new("/runs/1"));
    assert!(file.has_vanished() && !files.is_there(path) && files.is_there(Path::new("/runs")));
    assert_eq!(disk.totals().vanished, 1);
    file.write_all(b"into nothing").unwrap();
    drop(file);
    files.create_private(path).unwrap();
    assert_eq!(files.read(path).unwrap(), b"");
}

#[test]
fn a_device_without_an_end_is_no_text() {
    let error = Files::Real.read_text(Path::new("/dev/zero")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
}
