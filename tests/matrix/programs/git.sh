# git: commits, a merge, a rebase, clones by pipe and by daemon, a push, gc, a check of everything.
# needs: git
export GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z' HOME=$PWD
git config --global user.name Tester
git config --global user.email tester@example.org
git config --global init.defaultBranch main
git init -q one && cd one
for i in $(seq 1 12); do
    echo "line $i" >>file && seq 1 "$((i * 50))" >"part$i" && git add . && git commit -q -m "commit $i"
done
git checkout -q -b side HEAD~5 && echo side >side && git add side && git commit -q -m side
git checkout -q main && git merge -q --no-edit side
git checkout -q -b other HEAD~2 && echo other >other && git add other && git commit -q -m other
git rebase -q main
git gc -q
cd ..
git daemon --reuseaddr --base-path="$PWD" --export-all --listen=127.0.0.1 --port=9418 &
daemon=$!
await git ls-remote git://127.0.0.1/one
git clone -q git://127.0.0.1/one served && git -C served rev-parse HEAD
git clone -q --no-local one two && cd two
git log --oneline --graph | head -n 5
git checkout -q -b x && echo x >x && git add x && git commit -q -m x && git push -q origin x
git stash list && git diff --stat HEAD~3 | tail -n 1
git fsck --full && git status -s && git bisect start HEAD HEAD~6 >/dev/null
git bisect run sh -c '! test -e x' | grep 'first bad'
git bisect reset 2>/dev/null
git worktree add -q ../three HEAD && git -C ../three log -1 --format=%s
cd .. && stop $daemon
