// The heap of a large simulation in huge pages: it looks at gigabytes in no order, and with small pages every sixth
// moment goes into finding where a page is.
#pragma once

namespace minik::cli {

// The allocator asks for huge pages only where its environment says so when a program starts: the program starts itself
// once more, in place, with the same arguments. To be called first thing in main. Where that cannot be had, or the
// environment has wishes of its own, everything goes on as it is.
void start_with_huge_pages(char** argv);

}  // namespace minik::cli
