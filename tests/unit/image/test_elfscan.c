/* Which call sites may be patched: hand-made code with one question each, and the host's libc as a
 * large real example whose result is checked by other means than the scanner's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>

#include "base/buf.h"
#include "image/elfscan.h"
#include "image/image.h"
#include "image/packdir.h"

#define CODE_OFF 0x1000u

/* An ELF file with one executable segment (address = file offset) and optional read-only data
 * behind it. */
static struct buf make_elf(const char *code, size_t code_len, const void *data, size_t data_len)
{
    struct buf out = {0};
    Elf64_Ehdr eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                     .e_type = ET_DYN,
                     .e_machine = EM_X86_64,
                     .e_version = EV_CURRENT,
                     .e_entry = CODE_OFF,
                     .e_phoff = sizeof eh,
                     .e_ehsize = sizeof eh,
                     .e_phentsize = sizeof(Elf64_Phdr),
                     .e_phnum = 2};
    Elf64_Phdr ph[2] = {{.p_type = PT_LOAD,
                         .p_flags = PF_R | PF_X,
                         .p_offset = CODE_OFF,
                         .p_vaddr = CODE_OFF,
                         .p_filesz = code_len,
                         .p_memsz = code_len},
                        {.p_type = data_len ? PT_LOAD : PT_NULL,
                         .p_flags = PF_R,
                         .p_offset = 2 * CODE_OFF,
                         .p_vaddr = 2 * CODE_OFF,
                         .p_filesz = data_len,
                         .p_memsz = data_len}};
    static const char zeros[CODE_OFF];
    buf_append(&out, &eh, sizeof eh);
    buf_append(&out, ph, sizeof ph);
    buf_append(&out, zeros, CODE_OFF - out.len);
    buf_append(&out, code, code_len);
    buf_append(&out, zeros, 2 * CODE_OFF - out.len);
    buf_append(&out, data, data_len);
    return out;
}

/* What is decided for code with exactly one site (at `site`); form 0: none. */
static struct pack_patch decide(const char *code, size_t len, size_t site)
{
    struct buf elf = make_elf(code, len, NULL, 0);
    struct elfscan scan;
    struct pack_patch p = {0};
    elfscan_init(&scan, elf.data, elf.len);
    assert_int_equal(scan.sites, 1);
    if (scan.patch_count) {
        p = scan.patches[0];
        assert_int_equal(p.offset, CODE_OFF + site);
    }
    elfscan_fini(&scan);
    buf_free(&elf);
    return p;
}
#define DECIDE(code, site) decide((code), sizeof(code) - 1, (site))

#define SYSCALL "\x0f\x05"
#define CMP     "\x48\x3d\x00\xf0\xff\xff" /* cmp $-4096,%rax */
#define NOP5    "\x0f\x1f\x44\x00\x00"

/* How many instructions must trap, and where the last of them is. */
static size_t traps(const char *code, size_t len, struct pack_patch *last)
{
    struct buf elf = make_elf(code, len, NULL, 0);
    struct elfscan scan;
    elfscan_init(&scan, elf.data, elf.len);
    size_t n = scan.traps;
    assert_int_equal(n, scan.patch_count);
    if (n) {
        *last = scan.patches[n - 1];
    }
    elfscan_fini(&scan);
    buf_free(&elf);
    return n;
}
#define TRAPS(code, last) traps((code), sizeof(code) - 1, (last))

static void test_traps(void **state)
{
    struct pack_patch p = {0};
    assert_int_equal(TRAPS("\x90\x0f\xc7\xf0\xc3", &p), 1); /* rdrand %eax */
    assert_int_equal(p.form, PACK_PATCH_TRAP);
    assert_int_equal(p.offset, CODE_OFF + 1);
    assert_int_equal(p.length, 3);
    assert_int_equal(TRAPS("\x49\x0f\xc7\xfa\xc3", &p), 1); /* rdseed %r10 */
    assert_int_equal(p.offset, CODE_OFF);
    assert_int_equal(p.length, 4);
    assert_int_equal(TRAPS("\xf3\x0f\xc7\xf8\x66\x0f\xc7\xf1\xc3", &p), 2); /* rdpid, rdrand %cx */
    /* cmpxchg8b in memory, and the bytes inside a constant */
    assert_int_equal(TRAPS("\x0f\xc7\x0f\xc3", &p), 0);
    assert_int_equal(TRAPS("\xb8\x0f\xc7\xf0\x00\xc3", &p), 0);
    /* what may be data stays as it is */
    assert_int_equal(TRAPS("\x06\x0f\xc7\xf0\xc3", &p), 0);
}

static void test_short(void **state)
{
    struct pack_patch p = DECIDE(SYSCALL "\xc3" NOP5, 0);
    assert_int_equal(p.form, PACK_PATCH_SHORT);
    assert_int_equal(p.delta, 1);
    /* int3 padding before the site, reached backwards */
    p = DECIDE("\xc3\xcc\xcc\xcc\xcc\xcc\x31\xc0" SYSCALL "\xc3", 8);
    assert_int_equal(p.form, PACK_PATCH_SHORT);
    assert_int_equal(p.delta, -9);
    /* four bytes are too few; `ret` may not be moved */
    assert_int_equal(DECIDE(SYSCALL "\xc3\x0f\x1f\x40\x00", 0).form, 0);
    /* nops that are reached by falling through are code */
    assert_int_equal(DECIDE(SYSCALL NOP5 "\xc3", 0).form, PACK_PATCH_FORWARD);
}

static void test_padding_that_is_reached(void **state)
{
    /* jmp to the padding itself: je +3 over `syscall; ret` */
    assert_int_equal(DECIDE("\x74\x03" SYSCALL "\xc3" NOP5 "\xc3", 2).form, 0);
    /* a jump behind the padding does not matter */
    assert_int_equal(DECIDE("\x74\x08" SYSCALL "\xc3" NOP5 "\xc3", 2).form, PACK_PATCH_SHORT);
}

static void test_forward(void **state)
{
    struct pack_patch p = DECIDE(SYSCALL CMP "\xc3", 0);
    assert_int_equal(p.form, PACK_PATCH_FORWARD);
    assert_int_equal(p.length, 8);
    p = DECIDE(SYSCALL "\x89\xc2\x89\xc2\xc3", 0); /* two movs */
    assert_int_equal(p.form, PACK_PATCH_FORWARD);
    assert_int_equal(p.length, 6);
    /* followers that depend on where they are, or leave */
    assert_int_equal(DECIDE(SYSCALL "\x48\x8b\x05\x00\x00\x00\x00\xc3", 0).form, 0);
    assert_int_equal(DECIDE(SYSCALL "\x89\xc2\x74\x00\x89\xc2\xc3", 0).form, 0);
    assert_int_equal(DECIDE(SYSCALL "\xe8\x00\x00\x00\x00\xc3", 0).form, 0);
    assert_int_equal(DECIDE(SYSCALL "\xf4\x90\x90\x90\xc3", 0).form, 0); /* hlt, as musl's exit */
}

/* The trap found in glibc's _Fork: `jne` lands exactly behind a syscall. */
static void test_jump_behind_the_site(void **state)
{
    assert_int_equal(DECIDE("\x75\x02" SYSCALL CMP "\xc3", 2).form, 0);
    assert_int_equal(DECIDE(SYSCALL CMP "\x74\xf8\xc3", 0).form, 0); /* from behind */
    assert_int_equal(DECIDE(SYSCALL CMP "\x74\xf6\xc3", 0).form, PACK_PATCH_FORWARD); /* to it */
    /* The same with a short form at hand. */
    assert_int_equal(DECIDE("\x75\x02" SYSCALL CMP "\xc3" NOP5, 2).form, PACK_PATCH_SHORT);
}

/* A switch label behind a syscall, known only from a table of offsets. */
static void test_jump_table(void **state)
{
    /* lea table(%rip),%rdx; syscall; cmp; ret */
    static const char code[] = "\x48\x8d\x15\xf9\x0f\x00\x00" SYSCALL CMP "\xc3";
    int32_t label = (int32_t)(CODE_OFF + 9) - (int32_t)(2 * CODE_OFF);
    int32_t elsewhere = (int32_t)CODE_OFF - (int32_t)(2 * CODE_OFF);
    int32_t tables[2][2] = {{elsewhere, elsewhere}, {elsewhere, label}};
    uint64_t pointers[2][2] = {{0, CODE_OFF}, {0, CODE_OFF + 9}};
    for (unsigned hit = 0; hit < 2; hit++) {
        for (unsigned kind = 0; kind < 2; kind++) {
            struct buf elf = kind ? make_elf(code, sizeof code - 1, pointers[hit], 16)
                                  : make_elf(code, sizeof code - 1, tables[hit], 8);
            struct elfscan scan;
            elfscan_init(&scan, elf.data, elf.len);
            assert_int_equal(scan.sites, 1);
            assert_int_equal(scan.patch_count, !hit);
            elfscan_fini(&scan);
            buf_free(&elf);
        }
    }
}

static void test_no_code(void **state)
{
    struct elfscan scan;
    /* 0f 05 inside an immediate is no site. */
    struct buf elf = make_elf("\xb8\x0f\x05\x00\x00\xc3", 6, NULL, 0);
    elfscan_init(&scan, elf.data, elf.len);
    assert_int_equal(scan.sites, 0);
    elfscan_fini(&scan);
    elf.data[18] = EM_386;
    elfscan_init(&scan, elf.data, elf.len);
    assert_int_equal(scan.sites, 0);
    elfscan_fini(&scan);
    buf_free(&elf);
}

static struct buf read_whole(const char *path)
{
    struct buf b = {0};
    FILE *f = fopen(path, "r");
    if (!f) {
        return b;
    }
    char chunk[65536];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;) {
        buf_append(&b, chunk, n);
    }
    fclose(f);
    return b;
}

static void check_patches(const struct buf *file, const struct elfscan *scan)
{
    char *used = calloc(1, file->len + 32);
    for (size_t i = 0; i < scan->patch_count; i++) {
        const struct pack_patch *p = &scan->patches[i];
        const unsigned char *at = (const unsigned char *)file->data + p->offset;
        uint64_t from = p->offset, len = p->length;
        assert_memory_equal(at, "\x0f\x05", 2);
        if (p->form == PACK_PATCH_SHORT) {
            from = p->offset + 2 + (uint64_t)(int64_t)p->delta;
            len = 5;
            assert_int_equal(p->length, 0);
            used[p->offset] = used[p->offset + 1] = 1;
        } else {
            assert_int_equal(p->form, PACK_PATCH_FORWARD);
            assert_in_range(len, 5, 20);
        }
        for (uint64_t k = from; k < from + len; k++) {
            assert_int_equal(used[k], 0); /* no byte belongs to two patches */
            used[k] = 1;
        }
    }
    free(used);
}

static void test_libc(void **state)
{
    struct buf file = read_whole("/lib/x86_64-linux-gnu/libc.so.6");
    file = file.len ? file : read_whole("/lib64/libc.so.6");
    if (!file.len) {
        skip();
    }
    struct elfscan scan, again;
    elfscan_init(&scan, file.data, file.len);
    elfscan_init(&again, file.data, file.len);
    print_message("libc: %zu sites, %zu short, %zu forward\n", scan.sites, scan.short_form,
                  scan.patch_count - scan.short_form);
    assert_true(scan.sites > 300);
    assert_true(scan.patch_count * 100 >= scan.sites * 90);
    check_patches(&file, &scan);
    assert_int_equal(scan.patch_count, again.patch_count);
    assert_memory_equal(scan.patches, again.patches, scan.patch_count * sizeof *scan.patches);
    elfscan_fini(&again);
    elfscan_fini(&scan);
    /* Damaged copies must not crash the scanner. */
    for (unsigned i = 0; i < 400; i++) {
        size_t at = (size_t)i * 3 % 1200;
        char old = file.data[at];
        file.data[at] = (char)(old ^ (1 << i % 8));
        elfscan_init(&again, file.data, 300000);
        elfscan_fini(&again);
        file.data[at] = old;
    }
    buf_free(&file);
}

/* What the scanner decides is what a packed image may hold. */
static void test_packed(void **state)
{
    static const char code[] = SYSCALL "\xc3" NOP5 SYSCALL CMP "\xc3\x0f\xc7\xf0\xc3";
    struct buf elf = make_elf(code, sizeof code - 1, NULL, 0);
    struct err err = {0};
    struct image_pack_file file = {"bin", 0755, elf.data, elf.len};
    struct image *image = image_pack_files(&file, 1, 0, &err);
    if (!image) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(image_inode(image, image_lookup(image, "/bin", true))->patch_count, 3);
    assert_int_equal(image_check(image->index, image->index_len, &err), 0);
    image_close(image);
    buf_free(&elf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packed),     cmocka_unit_test(test_traps),
        cmocka_unit_test(test_short),      cmocka_unit_test(test_padding_that_is_reached),
        cmocka_unit_test(test_forward),    cmocka_unit_test(test_jump_behind_the_site),
        cmocka_unit_test(test_jump_table), cmocka_unit_test(test_no_code),
        cmocka_unit_test(test_libc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
