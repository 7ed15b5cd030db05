//! The numbers behind the user of an image, so that what goes into a container belongs to who runs there.

use std::io::Read;

use bollard::{Docker, errors::Error, query_parameters::DownloadFromContainerOptions};
use futures_util::TryStreamExt;

use crate::upload::Owner;

/// A user as an image or a configuration names it: `name`, `1000`, `name:group`, `1000:1000`, or nothing for root.
pub(crate) async fn resolve(docker: &Docker, container: &str, user: &str) -> Result<Owner, Error> {
    let (name, group) = user.split_once(':').map_or((user, None), |(name, group)| (name, Some(group)));
    if matches!(name, "" | "0" | "root") && group.is_none() {
        return Ok(Owner::default());
    }
    if let (Ok(uid), Some(Ok(gid))) = (name.parse(), group.map(str::parse)) {
        return Ok(Owner { uid, gid });
    }
    let passwd = file(docker, container, "/etc/passwd").await?;
    let mut owner = in_passwd(&passwd, name);
    if let Some(group) = group {
        owner.gid = match group.parse() {
            Ok(gid) => gid,
            Err(_) => in_group(&file(docker, container, "/etc/group").await?, group),
        };
    }
    Ok(owner)
}

/// What the engine itself makes of it; a name that nobody has becomes an error when the container is started.
fn in_passwd(passwd: &str, name: &str) -> Owner {
    for line in passwd.lines() {
        let mut fields = line.split(':');
        let (Some(known), uid, gid) = (fields.next(), fields.nth(1), fields.next()) else { continue };
        if (known == name || uid == Some(name))
            && let (Some(Ok(uid)), Some(Ok(gid))) = (uid.map(str::parse), gid.map(str::parse))
        {
            return Owner { uid, gid };
        }
    }
    Owner { uid: name.parse().unwrap_or(0), gid: 0 }
}

fn in_group(groups: &str, name: &str) -> u64 {
    let line = groups.lines().find(|line| line.split(':').next() == Some(name));
    line.and_then(|line| line.split(':').nth(2)?.parse().ok()).unwrap_or(0)
}

/// A small file of a container; empty when there is none.
async fn file(docker: &Docker, container: &str, path: &str) -> Result<String, Error> {
    let options = DownloadFromContainerOptions { path: path.to_owned() };
    let parts: Vec<bytes::Bytes> =
        match docker.download_from_container(container, Some(options)).try_collect().await {
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(String::new()),
            parts => parts?,
        };
    let archive = parts.concat();
    let mut text = String::new();
    let mut archive = tar::Archive::new(archive.as_slice());
    if let Some(Ok(mut entry)) = archive.entries()?.next() {
        entry.read_to_string(&mut text)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_looked_up() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\napp:x:1000:1001::/srv/app:/bin/sh\n";
        for (name, uid, gid) in [("app", 1000, 1001), ("1000", 1000, 1001), ("root", 0, 0), ("77", 77, 0)] {
            assert_eq!(in_passwd(passwd, name), Owner { uid, gid }, "{name}");
        }
        assert_eq!(in_group("root:x:0:\nstaff:x:50:app\n", "staff"), 50);
    }
}
