//! Packing and unpacking of instructions.

use super::Opcode;
use std::fmt;

/// One instruction of 32 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Instruction(u32);

impl Instruction {
    /// The largest Bx, and the offset that sBx is stored with.
    pub const MAX_BX: u32 = 0xFFFF;
    /// The largest Ax.
    pub const MAX_AX: u32 = 0xFF_FFFF;
    /// The smallest and largest sBx.
    pub const SBX_RANGE: std::ops::RangeInclusive<i64> = i16::MIN as i64..=i16::MAX as i64;
    /// The smallest and largest sJ.
    pub const SJ_RANGE: std::ops::RangeInclusive<i64> = -0x80_0000..=0x7F_FFFF;

    /// An instruction with operands A, B and C.
    #[inline]
    pub const fn abc(opcode: Opcode, a: u8, b: u8, c: u8) -> Self {
        Instruction(opcode as u32 | (a as u32) << 8 | (b as u32) << 16 | (c as u32) << 24)
    }

    /// An instruction with operands A and Bx.
    #[inline]
    pub const fn abx(opcode: Opcode, a: u8, bx: u16) -> Self {
        Instruction(opcode as u32 | (a as u32) << 8 | (bx as u32) << 16)
    }

    /// An instruction with operands A and sBx.
    #[inline]
    pub const fn asbx(opcode: Opcode, a: u8, sbx: i16) -> Self {
        Self::abx(opcode, a, sbx as u16)
    }

    /// An instruction with the operand Ax, which must be at most [`Self::MAX_AX`].
    #[inline]
    pub const fn ax(opcode: Opcode, ax: u32) -> Self {
        debug_assert!(ax <= Self::MAX_AX);
        Instruction(opcode as u32 | ax << 8)
    }

    /// An instruction with the operand sJ, which must be in [`Self::SJ_RANGE`].
    #[inline]
    pub const fn sj(opcode: Opcode, sj: i32) -> Self {
        Instruction(opcode as u32 | (sj as u32) << 8)
    }

    /// An instruction of these bits, which nobody has looked at.
    pub(super) const fn from_bits(bits: u32) -> Self {
        Instruction(bits)
    }

    /// Its 32 bits.
    pub(super) const fn bits(self) -> u32 {
        self.0
    }

    /// The number of the opcode.
    #[inline(always)]
    pub const fn opcode_number(self) -> u8 {
        self.0 as u8
    }

    /// What the instruction does.
    #[inline(always)]
    pub const fn opcode(self) -> Opcode {
        Opcode::ALL[(self.0 & 0xFF) as usize]
    }

    /// Operand A.
    #[inline(always)]
    pub const fn a(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// Operand B.
    #[inline(always)]
    pub const fn b(self) -> u8 {
        (self.0 >> 16) as u8
    }

    /// Operand C.
    #[inline(always)]
    pub const fn c(self) -> u8 {
        (self.0 >> 24) as u8
    }

    /// Operand C as a signed number.
    #[inline(always)]
    pub const fn sc(self) -> i8 {
        self.c() as i8
    }

    /// Operand B as a signed number.
    #[inline(always)]
    pub const fn sb(self) -> i8 {
        self.b() as i8
    }

    /// Operand Bx.
    #[inline(always)]
    pub const fn bx(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// Operand Bx as a signed number.
    #[inline(always)]
    pub const fn sbx(self) -> i16 {
        self.bx() as i16
    }

    /// Operand Ax.
    #[inline(always)]
    pub const fn get_ax(self) -> u32 {
        self.0 >> 8
    }

    /// Operand sJ.
    #[inline(always)]
    pub const fn get_sj(self) -> i32 {
        self.0 as i32 >> 8
    }
}

impl fmt::Debug for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {} {}", self.opcode(), self.a(), self.b(), self.c())
    }
}
