// Whether a text can be the name of an image at all, by the grammar of distribution's references:
//
//   [host[:port]/]path[/path...][:tag][@digest]
//
// A node agent asks before it asks anybody for the image. Pure; an error says what is wrong in the words that users know
// from Kubernetes.
#pragma once

#include <string_view>

#include "control/base/result.h"

namespace minik::control {

Status check_image_name(std::string_view image);

}  // namespace minik::control
