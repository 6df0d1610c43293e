"""The program of the pause image: a static ELF file of some 250 bytes, written from a table of machine code.

It is the first process of every pod's sandbox. It blocks SIGINT, SIGTERM and SIGCHLD and waits for them: a child's end means reaping all
ended children (with a shared PID namespace the pod's orphans end up here), the others mean exit. A blocked signal reaches also the first
process of a PID namespace, which would ignore it otherwise. No compiler is needed, and the code is the same on every machine.
"""

import struct

# rt_sigprocmask 14, rt_sigtimedwait 128, exit_group 231, wait4 61; signals: SIGINT 2, SIGTERM 15, SIGCHLD 17.
X86_64 = """
31ff                xor  edi, edi            ; SIG_BLOCK
488d3559000000      lea  rsi, [mask]
31d2                xor  edx, edx
41ba08000000        mov  r10d, 8
b80e000000          mov  eax, rt_sigprocmask
0f05                syscall
488d3d43000000      lea  rdi, [mask]         ; wait:
31f6                xor  esi, esi            ; no siginfo
31d2                xor  edx, edx            ; no timeout
41ba08000000        mov  r10d, 8
b880000000          mov  eax, rt_sigtimedwait
0f05                syscall
83f811              cmp  eax, SIGCHLD
7413                je   reap
83f802              cmp  eax, SIGINT
7405                je   exit
83f80f              cmp  eax, SIGTERM
75d9                jne  wait                ; interrupted: wait again
31ff                xor  edi, edi            ; exit:
b8e7000000          mov  eax, exit_group
0f05                syscall
83cfff              or   edi, -1             ; reap: any child
31f6                xor  esi, esi            ; no status
ba01000000          mov  edx, WNOHANG
4531d2              xor  r10d, r10d          ; no rusage
b83d000000          mov  eax, wait4
0f05                syscall
85c0                test eax, eax
7fe8                jg   reap                ; one more
ebb6                jmp  wait
0240010000000000    mask: SIGINT, SIGTERM, SIGCHLD
"""

# rt_sigprocmask 135, rt_sigtimedwait 137, exit_group 94, wait4 260. Instructions are words, shown with their lowest byte first.
AARCH64 = """
000080d2            mov  x0, SIG_BLOCK
c1030010            adr  x1, mask
020080d2            mov  x2, 0
030180d2            mov  x3, 8
e81080d2            mov  x8, rt_sigprocmask
010000d4            svc  0
20030010            adr  x0, mask            ; wait:
010080d2            mov  x1, 0               ; no siginfo
020080d2            mov  x2, 0               ; no timeout
030180d2            mov  x3, 8
281180d2            mov  x8, rt_sigtimedwait
010000d4            svc  0
1f4400f1            cmp  x0, SIGCHLD
00010054            b.eq reap
1f0800f1            cmp  x0, SIGINT
60000054            b.eq exit
1f3c00f1            cmp  x0, SIGTERM
a1feff54            b.ne wait                ; interrupted: wait again
000080d2            mov  x0, 0               ; exit:
c80b80d2            mov  x8, exit_group
010000d4            svc  0
00008092            mov  x0, -1              ; reap: any child
010080d2            mov  x1, 0               ; no status
220080d2            mov  x2, WNOHANG
030080d2            mov  x3, 0               ; no rusage
882080d2            mov  x8, wait4
010000d4            svc  0
1f0000f1            cmp  x0, 0
2cffff54            b.gt reap                ; one more
e9ffff17            b    wait
1f2003d5            nop                      ; the mask lies on a multiple of four
0240010000000000    mask: SIGINT, SIGTERM, SIGCHLD
"""

MACHINES = {"x86_64": (62, X86_64), "aarch64": (183, AARCH64)}
LOAD_ADDRESS = 0x400000
ELF_HEADER, PROGRAM_HEADER = 64, 56


def program(machine: str) -> bytes:
    """The ELF file for a machine as `uname -m` names it."""
    number, listing = MACHINES[machine]
    code = bytes.fromhex("".join(line.split()[0] for line in listing.strip().splitlines()))
    start = ELF_HEADER + PROGRAM_HEADER
    size = start + len(code)
    identity = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)  # 64 bits, little endian, version 1
    executable, version, readable_executable, loaded = 2, 1, 5, 1
    header = struct.pack(
        "<HHIQQQIHHHHHH",
        *(executable, number, version, LOAD_ADDRESS + start, ELF_HEADER, 0, 0),
        *(ELF_HEADER, PROGRAM_HEADER, 1, 0, 0, 0),
    )
    segment = struct.pack("<IIQQQQQQ", loaded, readable_executable, 0, LOAD_ADDRESS, LOAD_ADDRESS, size, size, 0x10000)
    return identity + header + segment + code
