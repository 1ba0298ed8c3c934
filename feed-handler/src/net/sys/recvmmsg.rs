//! `recvmmsg(2)` into slots: many datagrams in one system call, straight to where they will be read.
//!
//! Headers, vectors and control buffers are built once. Before a call only the vectors are pointed at the free slots;
//! after it only the control lengths that the kernel changed are set back. There is no `msg_name`, so its length is
//! never touched.

use super::cmsg::{self, ControlBuffer, SPACE};
use feed_common::packet::{RxMeta, SlotWriter};
use feed_common::time::{CardNanos, UnixNanos};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};

/// The kernel's side of a batch: one header, one vector and one control buffer per datagram.
pub(in crate::net) struct MessageBatch {
    headers: Fixed<libc::mmsghdr>,
    vectors: Fixed<libc::iovec>,
    controls: Fixed<ControlBuffer>,
}

// SAFETY: the raw pointers inside lead to the arrays the batch owns, or to slots that are only written through
// `Aimed`, which borrows both the batch and the slots' writer. Nothing is bound to a thread.
unsafe impl Send for MessageBatch {}

/// What one received datagram was.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) struct Facts {
    /// Bytes held.
    pub len: u32,
    /// The datagram was longer than that.
    pub truncated: bool,
    /// When the kernel saw it.
    pub kernel: UnixNanos,
    /// When the network card saw it, by its own clock.
    pub card: CardNanos,
    /// The socket's drop counter, which wraps; not said before the first drop.
    pub drops: Option<u32>,
}

impl MessageBatch {
    /// For up to `len` datagrams a call, at least one.
    pub fn new(len: usize) -> MessageBatch {
        let len = len.max(1);
        let controls = Fixed::new(vec![ControlBuffer([0; SPACE]); len]);
        let nowhere = libc::iovec {
            iov_base: ptr::null_mut(),
            iov_len: 0,
        };
        let vectors = Fixed::new(vec![nowhere; len]);
        let headers = (0..len).map(|i| {
            // SAFETY: a C structure of integers and pointers, for which all zeros (null pointers) is a valid value.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_iov = vectors.at(i);
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = controls.at(i).cast();
            header.msg_hdr.msg_controllen = SPACE;
            header
        });
        let headers = Fixed::new(headers.collect());
        MessageBatch {
            headers,
            vectors,
            controls,
        }
    }

    /// Datagrams a call can take.
    pub fn len(&self) -> usize {
        self.headers.len
    }

    /// Points the batch at the writer's free slots, at most a batch of them.
    #[inline]
    pub fn aim<'a, W: SlotWriter>(&'a mut self, slots: &'a mut W) -> Aimed<'a, W> {
        let n = slots.free(self.len()).min(self.len());
        for i in 0..n {
            let payload = slots.slot(i).payload;
            let vector = libc::iovec {
                iov_base: payload.as_mut_ptr().cast(),
                iov_len: payload.len(),
            };
            // SAFETY: `i < n <= len`, so the element is inside the array, which the batch owns and is borrowed
            // exclusively; an iovec needs no drop.
            unsafe { self.vectors.at(i).write(vector) };
        }
        Aimed {
            batch: self,
            slots,
            n,
        }
    }

    /// Takes a batch of datagrams off the socket without reading them, and says what they were.
    pub fn discard(
        &mut self,
        socket: BorrowedFd<'_>,
        mut each: impl FnMut(Facts),
    ) -> io::Result<usize> {
        self.set_vectors(0);
        // SAFETY: every header names no vector, so the kernel writes no payload, and its own control buffer.
        let received = unsafe { self.receive(socket, self.len()) };
        self.set_vectors(1);
        let received = received?;
        for i in 0..received {
            each(self.facts(i));
        }
        Ok(received)
    }

    fn set_vectors(&mut self, n: usize) {
        for i in 0..self.len() {
            // SAFETY: `i < len`; the array is owned and borrowed exclusively.
            unsafe { (*self.headers.at(i)).msg_hdr.msg_iovlen = n };
        }
    }

    /// One system call that does not wait; 0 when nothing is there.
    ///
    /// # Safety
    ///
    /// `n <= self.len()`, and each of the first `n` headers names either no vector or one whose memory nobody else
    /// touches during the call.
    #[inline]
    unsafe fn receive(&mut self, socket: BorrowedFd<'_>, n: usize) -> io::Result<usize> {
        let (fd, first) = (socket.as_raw_fd(), self.headers.at(0));
        // The timeout stays null: the kernel looks at it only between datagrams, so it cannot bound the call.
        // SAFETY: the socket is open while borrowed; there are `n` initialised headers from `first` on, whose vectors
        // and control buffers are arrays of this batch, and by the caller's promise the vectors' memory may be
        // written.
        let received =
            unsafe { libc::recvmmsg(fd, first, n as _, libc::MSG_DONTWAIT, ptr::null_mut()) };
        match usize::try_from(received) {
            Ok(received) => Ok(received.min(n)),
            Err(_) => match io::Error::last_os_error() {
                // An interrupted poll is an empty one: the caller polls again anyway.
                e if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => Ok(0),
                e => Err(e),
            },
        }
    }

    /// What datagram `i` of the last call was; makes its header ready for the next.
    #[inline]
    fn facts(&mut self, i: usize) -> Facts {
        assert!(i < self.len());
        // SAFETY: `i < len`, the arrays are owned and borrowed exclusively, and the kernel writes to them only during
        // a call, none of which is under way.
        let (header, capacity, control) = unsafe {
            (
                &mut *self.headers.at(i),
                (*self.vectors.at(i)).iov_len,
                &*self.controls.at(i),
            )
        };
        let written = header.msg_hdr.msg_controllen.min(SPACE);
        header.msg_hdr.msg_controllen = SPACE;
        let control = cmsg::read(&control.0[..written]);
        Facts {
            // Without MSG_TRUNC among the flags asked for, the kernel says the bytes it copied; the bound costs
            // nothing and makes the slot's length independent of that.
            len: header.msg_len.min(capacity as u32),
            truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            kernel: control.kernel,
            card: control.card,
            drops: control.drops,
        }
    }
}

/// A batch pointed at free slots. It keeps both borrowed, so the slots cannot change hands before it is gone.
pub(in crate::net) struct Aimed<'a, W> {
    batch: &'a mut MessageBatch,
    slots: &'a mut W,
    n: usize,
}

impl<W: SlotWriter> Aimed<'_, W> {
    /// True when no slot was free.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Receives what is there now, without waiting: the number of slots filled from the first on.
    #[inline]
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        // SAFETY: `aim` pointed the first `n` vectors at as many free slots and calls only `slot` on the writer;
        // `Aimed` has borrowed the writer since. By the contract of `SlotWriter` the payloads do not overlap and are
        // still allocated and nobody else's.
        unsafe { self.batch.receive(socket, self.n) }
    }

    /// Hands the first `received` slots to the reader, with the facts `meta` makes of what each datagram was.
    #[inline]
    pub fn commit(self, received: usize, mut meta: impl FnMut(Facts) -> RxMeta) {
        let received = received.min(self.n);
        for i in 0..received {
            *self.slots.slot(i).meta = meta(self.batch.facts(i));
        }
        self.slots.commit(received);
    }
}

/// An array that raw pointers lead into. A `Box` claims to be the only way to its content whenever it is moved; this
/// claims nothing.
struct Fixed<T> {
    first: NonNull<T>,
    len: usize,
}

impl<T> Fixed<T> {
    fn new(elements: Vec<T>) -> Fixed<T> {
        let len = elements.len();
        let first = NonNull::from(Box::leak(elements.into_boxed_slice())).cast();
        Fixed { first, len }
    }

    /// Element `i`; `i` must lie inside, which every caller proves where it uses the pointer.
    #[inline]
    fn at(&self, i: usize) -> *mut T {
        debug_assert!(i < self.len);
        self.first.as_ptr().wrapping_add(i)
    }
}

impl<T> Drop for Fixed<T> {
    fn drop(&mut self) {
        let all = ptr::slice_from_raw_parts_mut(self.first.as_ptr(), self.len);
        // SAFETY: `new` leaked exactly this boxed slice, and it is freed once.
        drop(unsafe { Box::from_raw(all) });
    }
}
