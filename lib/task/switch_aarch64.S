/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Switch for AArch64 (AAPCS64): x19-x28, frame pointer, link register and the low halves of
 * v8-v15 are the callee's to keep; they go onto the stack that is left and come from the stack
 * that is entered. There is no system call.
 *
 * A suspended stack, from its pointer upwards: x19-x30, d8-d15.
 */
#if defined(__aarch64__) && defined(__LP64__) && !defined(TASK_SWITCH_UCONTEXT)

#define FRAME 160

	.text

	/* void context_switch(struct context *from: x0, struct context *to: x1) */
	.globl	context_switch
	.hidden	context_switch
	.type	context_switch, %function
	.p2align 4
context_switch:
	.cfi_startproc
	sub	sp, sp, #FRAME
	stp	x19, x20, [sp, #0]
	stp	x21, x22, [sp, #16]
	stp	x23, x24, [sp, #32]
	stp	x25, x26, [sp, #48]
	stp	x27, x28, [sp, #64]
	stp	x29, x30, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	mov	x9, sp
	str	x9, [x0]
	ldr	x9, [x1]
	mov	sp, x9
	ldp	x19, x20, [sp, #0]
	ldp	x21, x22, [sp, #16]
	ldp	x23, x24, [sp, #32]
	ldp	x25, x26, [sp, #48]
	ldp	x27, x28, [sp, #64]
	ldp	x29, x30, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	add	sp, sp, #FRAME
	ret
	.cfi_endproc
	.size	context_switch, . - context_switch

	/*
	 * void context_init(struct context *c: x0, void *stack: x1, size_t size: x2,
	 *     void (*entry)(void *): x3, void *argument: x4)
	 * x19 and x20 bring the argument and the entry to context_start.
	 */
	.globl	context_init
	.hidden	context_init
	.type	context_init, %function
	.p2align 4
context_init:
	.cfi_startproc
	add	x9, x1, x2
	and	x9, x9, #-16
	sub	x9, x9, #FRAME
	adrp	x10, context_start
	add	x10, x10, :lo12:context_start
	stp	x4, x3, [x9, #0]
	stp	xzr, xzr, [x9, #16]
	stp	xzr, xzr, [x9, #32]
	stp	xzr, xzr, [x9, #48]
	stp	xzr, xzr, [x9, #64]
	stp	xzr, x10, [x9, #80]
	stp	xzr, xzr, [x9, #96]
	stp	xzr, xzr, [x9, #112]
	stp	xzr, xzr, [x9, #128]
	stp	xzr, xzr, [x9, #144]
	str	x9, [x0]
	ret
	.cfi_endproc
	.size	context_init, . - context_init

	/* Where a new stack begins; a backtrace ends here. */
	.type	context_start, %function
	.p2align 4
context_start:
	.cfi_startproc
	.cfi_undefined x30
	mov	x0, x19
	blr	x20
	brk	#0
	.cfi_endproc
	.size	context_start, . - context_start

#endif
	.section .note.GNU-stack,"",%progbits
