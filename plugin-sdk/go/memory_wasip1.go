package hookgate

import (
	"runtime"
	"strings"
	"unsafe"
)

// What passes between the host and Go.
//
// The host asks for memory by cabi_realloc before it calls handle, and while setting runs. In there nothing of the host's
// may be called, so no collection may begin and no goroutine may be switched to: either could read the clock or run
// code that logs. While the processor is pinned, the runtime does neither. Growing the heap alone might still read the
// clock; the adapter then gives the time that it gave last.
//
// The memory is Go's own, with a reference in blocks until it is taken, so what is made of it needs no copying and goes
// the way of everything else. Go does not move what is on the heap.

// blocks is the memory that the host has asked for and that was not taken yet.
var blocks [][]uint64

// given is how many bytes of it there were since the last collection.
var given uint64

// collectAfter is how many there may be. The runtime does not look at them by itself: it was pinned when they came.
const collectAfter = 4 << 20

//go:wasmexport cabi_realloc
func allocate(old, oldBytes, _, bytes uint32) uint32 {
	setClockPaused(true)
	procPin()
	// Of words: no alignment in the contract is greater. One at the least: even an empty text has an address.
	block := make([]uint64, max(1, (uint64(bytes)+7)/8))
	if oldBytes > 0 {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&block[0])), bytes), unsafe.Slice((*byte)(pointer(old)), oldBytes))
	}
	blocks = append(blocks, block)
	given += uint64(bytes)
	procUnpin()
	setClockPaused(false)
	return address(unsafe.Pointer(&block[0]))
}

// release ends the time of the blocks: what is needed of them was taken.
func release() {
	blocks = nil
	if given > collectAfter {
		given = 0
		runtime.GC()
	}
}

// The adapter of WASI wants memory of its own: it asks once, on its first call, when the Go runtime is still starting
// and cannot allocate. It keeps it for good.
var adapterMemory [3 << 16]byte
var adapterUsed uintptr

//go:wasmexport cabi_realloc_adapter
//go:nosplit
func allocateForAdapter(_, _, align, bytes uint32) uint32 {
	start := uintptr(unsafe.Pointer(&adapterMemory))
	at := (start + adapterUsed + uintptr(align) - 1) &^ (uintptr(align) - 1)
	adapterUsed = at + uintptr(bytes) - start
	if adapterUsed > uintptr(len(adapterMemory)) {
		runtime.Breakpoint() // In WebAssembly it is an instruction that traps.
	}
	return uint32(at)
}

//go:wasmimport wasi_snapshot_preview1 adapter_monotonic_clock_set_paused
func setClockPaused(paused bool)

//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()

func address(at unsafe.Pointer) uint32 { return uint32(uintptr(at)) }

// pointer is for addresses that point to something: no Go pointer may hold another.
func pointer(address uint32) unsafe.Pointer {
	at := uintptr(address)
	return *(*unsafe.Pointer)(unsafe.Pointer(&at))
}

// text is a text in the contract's memory. What it points to must stay where it is for as long as the host may read it:
// what lives on the heap and is in told does, and so do constants.
type text struct{ at, bytes uint32 }

// list is a list in the contract's memory.
type list struct{ at, length uint32 }

// told keeps what the host is about to read, until the next call.
var told []any

func tell(s string) text {
	s = strings.ToValidUTF8(s, "\uFFFD")
	told = append(told, s)
	return text{address(unsafe.Pointer(unsafe.StringData(s))), uint32(len(s))}
}

func tellPairs(pairs [][2]string) list {
	lowered := make([]pairOfTexts, 0, len(pairs))
	for _, pair := range pairs {
		lowered = append(lowered, pairOfTexts{tell(pair[0]), tell(pair[1])})
	}
	return tellAll(lowered)
}

func tellAll[T any](items []T) list {
	told = append(told, items)
	return list{address(unsafe.Pointer(unsafe.SliceData(items))), uint32(len(items))}
}

// takeAll is a list that the host has put into a block.
func takeAll[T any](l list) []T {
	if l.length == 0 {
		return nil
	}
	return unsafe.Slice((*T)(pointer(l.at)), l.length)
}

// take is what the host has put into a block.
func (l list) take() []byte {
	if l.length == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(pointer(l.at)), l.length)
}

func (t text) take() string {
	if t.bytes == 0 {
		return ""
	}
	return unsafe.String((*byte)(pointer(t.at)), t.bytes)
}
