/* libvoidstar: the older output calls, each turned into one JSON document. Small documents are
 * built on the stack, large ones in pages of their own that are given back at once. */
#include "sdk/libvoidstar/voidstar.h"

#include "abi/guestcall.h"
#include "sdk/common/rawcall.h"

enum { SMALL_BYTES = 1024, PROT_READ_WRITE = 3, MAP_PRIVATE_ANONYMOUS = 0x22 };

struct document {
    char *text;
    size_t length;
    size_t mapped; /* bytes to unmap afterwards; 0 when on the stack */
};

/* Fails only when memory is exhausted; the message is then reported as lost by name. */
static bool document_begin(struct document *doc, char *small, size_t need)
{
    *doc = (struct document){.text = small};
    if (need <= SMALL_BYTES) {
        return true;
    }
    const long args[6] = {0, (long)need, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0};
    long address = raw_call6(RAW_MMAP, args);
    if (address < 0 && address > -4096) {
        static const char lost[] =
            "{\"antithesis_error\":{\"message\":\"libvoidstar: no memory for a "
            "message\",\"code\":12}}";
        fuzz_json_data(lost, sizeof(lost) - 1);
        return false;
    }
    doc->text = (char *)(uintptr_t)address;
    doc->mapped = need;
    return true;
}

static void document_send(struct document *doc)
{
    fuzz_json_data(doc->text, doc->length);
    if (doc->mapped != 0) {
        raw_call2(RAW_MUNMAP, raw_pointer(doc->text), (long)doc->mapped);
    }
}

static void put_text(struct document *doc, const char *text)
{
    while (*text != '\0') {
        doc->text[doc->length++] = *text++;
    }
}

static void put_u64(struct document *doc, uint64_t value)
{
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (n > 0) {
        doc->text[doc->length++] = digits[--n];
    }
}

/* Length of the well-formed UTF-8 sequence at `s` (RFC 3629: no overlong forms, no surrogates), or
 * 0 when there is none. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
    unsigned char lead = s[0];
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xc2 || lead > 0xf4) {
        return 0;
    }
    size_t n = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (left < n) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (lead == 0xe0 && s[1] < 0xa0) || (lead == 0xf0 && s[1] < 0x90);
    bool outside = (lead == 0xed && s[1] > 0x9f) || (lead == 0xf4 && s[1] > 0x8f);
    return overlong || outside ? 0 : n;
}

/* At most six bytes are written for one that is read (RFC 8259, section 7). */
static void put_json_string(struct document *doc, const char *text, size_t length)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *s = (const unsigned char *)text;
    doc->text[doc->length++] = '"';
    for (size_t i = 0; i < length;) {
        size_t n = utf8_length(s + i, length - i);
        if (n == 0) {
            put_text(doc, "\\ufffd");
            i++;
        } else if (s[i] < 0x20) {
            put_text(doc, "\\u00");
            doc->text[doc->length++] = hex[s[i] >> 4];
            doc->text[doc->length++] = hex[s[i] & 15];
            i++;
        } else {
            if (s[i] == '"' || s[i] == '\\') {
                doc->text[doc->length++] = '\\';
            }
            for (size_t end = i + n; i < end; i++) {
                doc->text[doc->length++] = (char)s[i];
            }
        }
    }
    doc->text[doc->length++] = '"';
}

static void put_base64(struct document *doc, const unsigned char *bytes, size_t length)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        size_t n = length - i < 3 ? length - i : 3;
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= n > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= n > 2 ? (uint32_t)bytes[i + 2] : 0;
        doc->text[doc->length++] = set[group >> 18];
        doc->text[doc->length++] = set[(group >> 12) & 63];
        doc->text[doc->length++] = n > 1 ? set[(group >> 6) & 63] : '=';
        doc->text[doc->length++] = n > 2 ? set[group & 63] : '=';
    }
}

static void send_message(const char *head, const char *message, size_t length)
{
    char small[SMALL_BYTES];
    struct document doc;
    if (!document_begin(&doc, small, length * 6 + 64)) {
        return;
    }
    put_text(&doc, head);
    put_json_string(&doc, message, length);
    put_text(&doc, "}}");
    document_send(&doc);
}

static void send_binary(const char *head, const void *bytes, size_t length)
{
    char small[SMALL_BYTES];
    struct document doc;
    if (!document_begin(&doc, small, length / 3 * 4 + 64)) {
        return;
    }
    put_text(&doc, head);
    put_base64(&doc, bytes, length);
    put_text(&doc, "\"}}");
    document_send(&doc);
}

void fuzz_info_data(const char *message, size_t length)
{
    send_message("{\"fuzz_info\":{\"message\":", message, length);
}

void fuzz_error_data(const char *message, size_t length)
{
    send_message("{\"fuzz_error\":{\"message\":", message, length);
}

void fuzz_info_message(const char *message)
{
    fuzz_info_data(message, raw_strlen(message));
}

void fuzz_error_message(const char *message)
{
    fuzz_error_data(message, raw_strlen(message));
}

void fuzz_png(const void *png, size_t length)
{
    send_binary("{\"fuzz_png\":{\"base64\":\"", png, length);
}

void fuzz_bytes(const void *bytes, size_t length)
{
    send_binary("{\"fuzz_bytes\":{\"base64\":\"", bytes, length);
}

void fuzz_kv32_pairs(const uint32_t *pair_arr, size_t length)
{
    enum { PAIR_MAX_BYTES = 24 }; /* [4294967295,4294967295], */
    char small[SMALL_BYTES];
    struct document doc;
    if (!document_begin(&doc, small, length / 2 * PAIR_MAX_BYTES + 64)) {
        return;
    }
    put_text(&doc, "{\"fuzz_kv32_pairs\":{\"pairs\":[");
    for (size_t i = 0; i + 1 < length; i += 2) {
        put_text(&doc, i == 0 ? "[" : ",[");
        put_u64(&doc, pair_arr[i]);
        put_text(&doc, ",");
        put_u64(&doc, pair_arr[i + 1]);
        put_text(&doc, "]");
    }
    put_text(&doc, "]}}");
    document_send(&doc);
}

void fuzz_exit(int exit_code)
{
    char small[SMALL_BYTES];
    struct document doc = {.text = small};
    put_text(&doc, "{\"fuzz_exit\":{\"code\":");
    if (exit_code < 0) {
        put_text(&doc, "-");
    }
    put_u64(&doc, exit_code < 0 ? (uint64_t)(-(int64_t)exit_code) : (uint64_t)exit_code);
    put_text(&doc, "}}");
    document_send(&doc);
    fuzz_flush();
    raw_exit(exit_code);
}
