# apt and dpkg (perl, gpg-free local archive): packages built, indexed, installed with a dependency.
# needs: dpkg-deb dpkg apt-get apt-ftparchive perl
root=$PWD/root
mkdir -p pool root/var/lib/dpkg/{info,updates} root/etc/apt/{preferences.d,sources.list.d,apt.conf.d} \
    root/var/{cache/apt/archives/partial,lib/apt/lists/partial,log/apt} root/tmp
touch root/var/lib/dpkg/{status,available}
make_package() {
    mkdir -p "src/$1/DEBIAN" "src/$1/usr/share/$1"
    printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: a <a@b>\nDepends: %s\nDescription: x\n' \
        "$1" "$2" "$3" >"src/$1/DEBIAN/control"
    seq 1 "$2"000 >"src/$1/usr/share/$1/data"
    dpkg-deb --root-owner-group -b "src/$1" "pool/$1_$2_all.deb"
}
make_package base 1 ''
make_package tool 2 base
(cd pool && apt-ftparchive packages . >Packages && apt-ftparchive release . >Release)
echo "deb [trusted=yes] file:$PWD/pool ./" >root/etc/apt/sources.list
get() {
    apt-get -q -o Dir="$root" -o Dir::State::status="$root/var/lib/dpkg/status" -o APT::Sandbox::User=root \
        -o DPkg::Options::=--root="$root" -o DPkg::Options::=--force-not-root -o DPkg::Options::=--log=/dev/null \
        -o APT::Architecture=amd64 -o Debug::NoLocking=0 -o APT::Cmd::Disable-Script-Warning=1 "$@"
}
get update | grep -c '^Get'
get -s install tool | grep '^Inst'
get -y install tool 2>&1 | grep -E '^(Setting up|Unpacking)'
dpkg --root="$root" -l | tail -n 2 | awk '{ print $1, $2, $3 }'
dpkg --root="$root" -S /usr/share/tool/data
dpkg --root="$root" --verify tool && echo 9 >>root/usr/share/tool/data
dpkg --root="$root" --verify tool
get -y remove base 2>&1 | grep '^Removing' | sort
dpkg --root="$root" --audit
ls root/usr/share 2>/dev/null | wc -l
perl -e '$p = fork; exit 3 if !$p; waitpid $p, 0; print $? >> 8, "\n"; print `ls pool | wc -l`'
dpkg-query -W -f '${Status}\n' bash
