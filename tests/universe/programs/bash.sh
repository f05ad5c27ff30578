# Pipelines, substitutions, jobs and traps of bash with the core utilities.
# needs: bash awk sed sort xargs find
# compare: native
seq 1 2000 | awk '{ s += $1 * $1 } END { print "sum", s }'
printf '%s\n' pear apple fig | sort | tee sorted | sed 's/^/- /'
diff <(sort -r sorted) <(printf 'pear\nfig\napple\n') && echo same
mkdir -p tree/{a,b}/{c,d} && touch tree/a/c/{x,y,z}.txt
find tree -type f | sort | xargs -n 1 -P 4 basename | sort | tr '\n' ' '
echo
for i in 1 2 3 4 5; do (sleep "0.$i"; echo "job $i") & done
wait
trap 'echo trapped TERM' TERM
kill -TERM $$
( trap 'echo leaving; exit 3' EXIT; false ) || echo "status $?"
yes | head -n 100000 | wc -l
set +e
sleep 100 &
kill %1
wait %1
echo "killed: $?"
coproc cat
echo through >&"${COPROC[1]}"
read -r line <&"${COPROC[0]}"
echo "coproc $line"
timeout 1 sleep 50
echo "timeout: $?"
