// Reference: the name by which a user asks for an image, read and completed the way Docker does it.
//
//   busybox                    docker.io/library/busybox:latest
//   me/app:1                   docker.io/me/app:1
//   localhost:5000/x           localhost:5000/x:latest
//   ghcr.io/a/b@sha256:…       ghcr.io/a/b@sha256:…       (a digest makes a tag needless)
//
// The first part is a registry when it holds a dot or a colon, is `localhost`, or has an upper-case
// letter; else it belongs to Docker Hub's path. Names are bytes of a closed alphabet, so a
// Reference that exists is safe in a path, a URL and a log line. Failing is kInvalid and says which
// part is wrong. Pure functions, any thread. Follows the grammar of the distribution project's
// reference package.
#pragma once

#include <string>
#include <string_view>

#include "control/base/result.h"

namespace minik::runtime {

struct Reference {
  std::string domain;  // "docker.io", "localhost:5000", "[::1]:5000"
  std::string path;    // "library/busybox"
  std::string tag;     // empty only beside a digest
  std::string digest;  // "sha256:…" or empty

  std::string name() const { return domain + "/" + path; }
  // The whole reference, completed: what images are stored and compared under.
  std::string text() const;
  // As people write it: without docker.io and library/, but with the tag.
  std::string familiar() const;
  std::string familiar_name() const;

  bool operator==(const Reference&) const = default;
};

// Completes with docker.io, library/ and the tag `latest`.
Result<Reference> parse_reference(std::string_view text);

}  // namespace minik::runtime
