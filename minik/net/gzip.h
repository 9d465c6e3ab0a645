// gzip of a whole body (RFC 1952), at the fastest level, as kube-apiserver compresses large
// answers. Pure and thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace minik {

std::string gzip(std::string_view bytes);

// Nothing for what is not gzip or would inflate to more than `bytes_max`.
std::optional<std::string> gunzip(std::string_view bytes, size_t bytes_max);

}  // namespace minik
