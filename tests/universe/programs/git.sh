# git: commits, branches, a merge, a local clone, a check of everything.
# needs: git
# compare: native
export GIT_AUTHOR_DATE='2024-01-01T00:00:00Z' GIT_COMMITTER_DATE='2024-01-01T00:00:00Z' HOME=$PWD
git config --global user.name Tester
git config --global user.email tester@example.org
git config --global init.defaultBranch main
git init -q one && cd one
for i in $(seq 1 12); do
    echo "line $i" >> file && seq 1 "$((i * 50))" > "part$i" && git add . && git commit -q -m "commit $i"
done
git checkout -q -b side HEAD~5 && echo side > side && git add side && git commit -q -m side
git checkout -q main && git merge -q --no-edit side
git gc -q
cd .. && git clone -q --no-local one two && cd two
git log --oneline | wc -l
git fsck --full && git rev-parse HEAD && git diff --stat HEAD~3 | tail -n 1
