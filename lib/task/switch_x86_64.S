/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Switch for x86-64 (System V ABI). The caller of context_switch has saved what the ABI lets a
 * function destroy; here the six other registers go onto the stack that is left and come from
 * the stack that is entered. MXCSR and the x87 control word stay: nothing here ever sets them.
 * There is no system call. The file carries no CET property note, so the linker does not mark
 * the program for shadow stacks, which a switch would break.
 *
 * A suspended stack, from its pointer upwards: r15 r14 r13 r12 rbx rbp return-address.
 */
#if defined(__x86_64__) && defined(__LP64__) && !defined(TASK_SWITCH_UCONTEXT)

	.text

	/* void context_switch(struct context *from: rdi, struct context *to: rsi) */
	.globl	context_switch
	.hidden	context_switch
	.type	context_switch, @function
	.p2align 4
context_switch:
	.cfi_startproc
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	(%rsi), %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.cfi_endproc
	.size	context_switch, . - context_switch

	/*
	 * void context_init(struct context *c: rdi, void *stack: rsi, size_t size: rdx,
	 *     void (*entry)(void *): rcx, void *argument: r8)
	 * r12 and r13 bring the argument and the entry to context_start.
	 */
	.globl	context_init
	.hidden	context_init
	.type	context_init, @function
	.p2align 4
context_init:
	.cfi_startproc
	leaq	(%rsi,%rdx), %rax
	andq	$-16, %rax
	subq	$72, %rax
	xorl	%edx, %edx
	movq	%rdx, 0(%rax)
	movq	%rdx, 8(%rax)
	movq	%rcx, 16(%rax)
	movq	%r8, 24(%rax)
	movq	%rdx, 32(%rax)
	movq	%rdx, 40(%rax)
	leaq	context_start(%rip), %rcx
	movq	%rcx, 48(%rax)
	movq	%rdx, 56(%rax)
	movq	%rdx, 64(%rax)
	movq	%rax, (%rdi)
	ret
	.cfi_endproc
	.size	context_init, . - context_init

	/* Where a new stack begins: the stack pointer is aligned to 16, a backtrace ends here. */
	.type	context_start, @function
	.p2align 4
context_start:
	.cfi_startproc
	.cfi_undefined rip
	movq	%r12, %rdi
	callq	*%r13
	ud2
	.cfi_endproc
	.size	context_start, . - context_start

#endif
	.section .note.GNU-stack,"",%progbits
