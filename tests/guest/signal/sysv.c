/* System V IPC between processes. */
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../guest_test.h"

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

static void test_shm(void)
{
    struct shmid_ds ds;
    key_t key = 0x45560000 | (getpid() & 0xffff);
    int id = shmget(key, 5000, IPC_CREAT | IPC_EXCL | 0600);
    CHECK(id >= 0);
    CHECK_ERR(shmget(key, 5000, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    CHECK(shmget(key, 0, 0) == id);
    CHECK_ERR(shmget(key, 9000, 0), EINVAL);
    int *p = shmat(id, NULL, 0);
    CHECK(p != (void *)-1 && p[0] == 0);
    pid_t pid = fork();
    if (pid == 0) {
        p[0] = 42;
        CHECK(shmdt(p) == 0);
        _exit(0);
    }
    CHECK(waitpid(pid, NULL, 0) == pid);
    CHECK(p[0] == 42);
    CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_nattch == 1 && ds.shm_segsz == 5000);
    CHECK(ds.shm_cpid == getpid() && ds.shm_lpid == pid);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
    CHECK_ERR(shmget(key, 0, 0), ENOENT);
    p[1] = 7; /* still attached */
    CHECK(shmdt(p) == 0);
    CHECK_ERR(shmdt(p), EINVAL);
    CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
}

static void test_sem(void)
{
    int id = semget(IPC_PRIVATE, 2, 0600);
    CHECK(id >= 0);
    union semun arg = {.val = 1};
    CHECK(semctl(id, 0, SETVAL, arg) == 0 && semctl(id, 0, GETVAL) == 1);
    struct sembuf take = {0, -1, SEM_UNDO}, give = {1, 1, 0}, wait = {1, -1, 0};
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(semop(id, &take, 1) == 0);
        CHECK(semop(id, &give, 1) == 0);
        _exit(0); /* SEM_UNDO gives semaphore 0 back */
    }
    CHECK(semop(id, &wait, 1) == 0);
    CHECK(waitpid(pid, NULL, 0) == pid);
    CHECK(semctl(id, 0, GETVAL) == 1);
    struct sembuf no = {1, -1, IPC_NOWAIT};
    CHECK_ERR(semop(id, &no, 1), EAGAIN);
    struct sembuf bad = {5, 1, 0};
    CHECK_ERR(semop(id, &bad, 1), EFBIG);
    pid = fork();
    if (pid == 0) {
        CHECK_ERR(semop(id, &wait, 1), EIDRM);
        _exit(0);
    }
    while (semctl(id, 1, GETNCNT) == 0) {
        usleep(1000);
    }
    CHECK(semctl(id, 0, IPC_RMID) == 0);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK_ERR(semop(id, &wait, 1), EINVAL);
}

static void test_msg(void)
{
    struct {
        long type;
        char text[16];
    } m = {3, "three"};
    int id = msgget(IPC_PRIVATE, 0600);
    CHECK(id >= 0);
    CHECK(msgsnd(id, &m, 6, 0) == 0);
    m.type = 2;
    strcpy(m.text, "two");
    CHECK(msgsnd(id, &m, 4, 0) == 0);
    CHECK(msgrcv(id, &m, 16, -9, 0) == 4 && m.type == 2);
    CHECK_ERR(msgrcv(id, &m, 2, 0, 0), E2BIG);
    CHECK_ERR(msgrcv(id, &m, 16, 5, IPC_NOWAIT), ENOMSG);
    CHECK(msgrcv(id, &m, 2, 3, MSG_NOERROR) == 2);
    m.type = 0;
    CHECK_ERR(msgsnd(id, &m, 1, 0), EINVAL);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(msgrcv(id, &m, 16, 0, 0) == 4 && strcmp(m.text, "abc") == 0);
        _exit(0);
    }
    m.type = 1;
    strcpy(m.text, "abc");
    CHECK(msgsnd(id, &m, 4, 0) == 0);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(msgctl(id, IPC_RMID, NULL) == 0);
}

int main(int argc, char **argv)
{
    static const struct guest_test tests[] = {
        ENTRY(shm),
        ENTRY(sem),
        ENTRY(msg),
    };
    return guest_main(argc, argv, tests, COUNT(tests));
}
