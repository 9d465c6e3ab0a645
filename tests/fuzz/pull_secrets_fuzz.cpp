// The file inside an imagePullSecret, and an image to be pulled with it: the first line is the image.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/kubelet/image_name.h"
#include "control/kubelet/pull_secrets.h"
#include "control/object/keys.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::control;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t line = std::min(text.find('\n'), text.size());
  const auto secret = [&](const char* type, const char* key) {
    return Value::map({{keys::kType, type}, {keys::kData, Value::map({{key, minik::to_base64(text.substr(line))}})}});
  };
  const Value whole = secret("kubernetes.io/dockerconfigjson", ".dockerconfigjson");
  const Value old = secret("kubernetes.io/dockercfg", ".dockercfg");
  const auto found = credentials_for(text.substr(0, line), {whole, old});
  for (const auto& credentials : found) CHECK(!credentials.username.empty() || !credentials.password.empty());
  (void)check_image_name(text.substr(0, line)).ok();
  return 0;
}
