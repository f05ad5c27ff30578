# ZooKeeper, one server and its command line: nodes, a watch, four-letter words, a restart.
# Without -XX:-UsePerfData a JVM lists what others left in /tmp, another input of every universe.
# needs: java python3 nc
# files: /usr/share/java/zookeeper.jar
cat >zoo.cfg <<CONF
tickTime=2000
dataDir=$PWD/data
clientPort=2181
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist=*
CONF
path=/etc/zookeeper/conf_example:/usr/share/java/zookeeper.jar
word() { echo "$1" | nc -N -w 3 127.0.0.1 2181; }
ready() { [ "$(word ruok)" = imok ]; }
serve() {
    java -XX:-UsePerfData -Xmx256m -cp $path org.apache.zookeeper.server.quorum.QuorumPeerMain zoo.cfg >"log$1" 2>&1 &
    server=$!
    await ready
}
client() {
    java -XX:-UsePerfData -Xmx128m -cp $path org.apache.zookeeper.ZooKeeperMain -waitforconnection -server 127.0.0.1:2181 2>/dev/null |
        grep -vE '^$|WATCHER|WatchedEvent|Connecting|Welcome|JLine'
}
serve 1
printf '%s\n' 'create /a b' 'get /a' 'set /a c' 'create /a/x 1' 'create -s /a/s 2' 'ls /a' 'get /a' quit |
    client
word stat | grep -E '^(Mode|Node count)'
stop $server
serve 2
printf '%s\n' 'get /a' 'deleteall /a' 'ls /' quit | client
stop $server
