// Freer: the deleter of a std::unique_ptr to what a C library made, by the function that frees it there:
//
//   using BioPtr = std::unique_ptr<BIO, Freer<BIO_free>>;
//
// What the function answers is dropped. Knows no library: whoever names the function includes its header.
#pragma once

namespace minik {

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};

}  // namespace minik
