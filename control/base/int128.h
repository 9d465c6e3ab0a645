// 128-bit integers, an extension that both compilers have: for products and sums that must not wrap.
#pragma once

namespace minik {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;

}  // namespace minik
