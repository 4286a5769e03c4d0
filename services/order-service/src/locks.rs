//! The numbers of advisory locks. They are the first of a lock's two numbers, which no lock of one number can meet: the kit's
//! and the migrations' have one.

/// Of a customer, whose number the second one is made of: shared by those who begin an order, alone for who closes the account.
pub(crate) const CUSTOMER: i32 = 0x0f07_0001;
/// Of the one relay that sends; the second number is 0.
pub(crate) const RELAY: i32 = 0x0f07_0002;
