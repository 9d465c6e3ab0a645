// The built-in image: made from one executable file, without network, registry or Dockerfile.
//
// make_image() writes a single-layer image: the executable, the shared libraries and the loader
// that it asks for (the image has no libc of its own), and the few files that programs expect
// (/etc/passwd, /etc/group, /etc/nsswitch.conf, /tmp, /root, the mount points). Equal inputs give
// an equal digest on any machine and at any time: no clock, owner or inode enters the image.
//
// Called at every start of a cluster, so it is quick when nothing changed: the entry in the index
// keeps the file's identity (device, inode, size, times), and an equal one is answered without
// reading the file. Blocking; thread-safe; the old image stays, without its name, while containers
// use it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/base/result.h"
#include "runtime/image/image_store.h"

namespace minik::runtime {

struct BuiltInImage {
  std::string name = "minik/demo:latest";
  std::string executable;  // path on this machine
  std::string path_in_image = "/minik";
  std::vector<std::string> entrypoint = {"/minik"};
  std::vector<std::string> command;
  std::vector<std::string> env = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  std::vector<std::string> exposed_ports;
  std::map<std::string, std::string> labels;
  // More files to copy: path in the image to path on this machine, links followed.
  std::map<std::string, std::string> files;
};

Result<ImageInfo> make_image(ImageStore& store, const BuiltInImage& image);

}  // namespace minik::runtime
