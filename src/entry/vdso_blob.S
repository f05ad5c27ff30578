    .section .rodata
    .balign 16
    .globl vdso_blob, vdso_blob_end
vdso_blob:
    .incbin "src/entry/everett-vdso.so"
vdso_blob_end:
    .section .note.GNU-stack, "", @progbits
