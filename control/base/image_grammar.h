// The grammar of image names, as the distribution project's reference package has it:
//
//   [registry/]component[/component...][:tag][@digest]      registry: host[:port], [IPv6][:port]
//
// Of each part whether it is one. What is left out, and in which words an error says it, is the caller's: a node agent speaks
// as Kubernetes does, the image store as Docker does. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace minik {

constexpr size_t kImagePathBytesMax = 255;

// Whether the first of several parts is a registry: it holds a dot or a colon, is `localhost`, or has an upper-case letter.
bool looks_like_registry(std::string_view first_part);
bool is_registry(std::string_view text);
// [a-z0-9]+ joined by one dot, one or two underscores or any number of dashes.
bool is_image_component(std::string_view text);
// [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}
bool is_image_tag(std::string_view text);
// 64 hexadecimal digits are an image's id, and no name.
bool is_image_id(std::string_view text);

}  // namespace minik
