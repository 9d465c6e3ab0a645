#include "runtime/image/elf_libraries.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "control/base/text.h"
#include "runtime/image/disk.h"

namespace minik::runtime {
namespace {

// Of the parts that are read; a table larger than this is no executable of ours.
constexpr size_t kTableBytesMax = 1U << 20;
constexpr std::string_view kFolders[] = {"/lib/x86_64-linux-gnu",
                                         "/usr/lib/x86_64-linux-gnu",
                                         "/lib/aarch64-linux-gnu",
                                         "/usr/lib/aarch64-linux-gnu",
                                         "/lib64",
                                         "/usr/lib64",
                                         "/lib",
                                         "/usr/lib"};

struct Needs {
  std::string interpreter;
  std::vector<std::string> libraries;
  std::vector<std::string> folders;  // of DT_RUNPATH or DT_RPATH
};

class ElfFile {
 public:
  static Result<Needs> read(const std::string& path) {
    MINIK_ASSIGN(UniqueFd fd, open_file(path, O_RDONLY));
    ElfFile file(std::move(fd), path);
    return file.needs();
  }

 private:
  ElfFile(UniqueFd fd, const std::string& path) : fd_(std::move(fd)), path_(path) {}

  Error broken(std::string_view why) const {
    return Error(ErrorCode::kInvalid,
                 cat(path_, " is not an executable that can be an image: ", why));
  }

  Result<std::string> part(uint64_t offset, uint64_t size) const {
    if (size > kTableBytesMax) return broken("a table is too large");
    std::string bytes(size, '\0');
    const ssize_t got = ::pread(fd_.get(), bytes.data(), size, static_cast<off_t>(offset));
    if (got < 0 || static_cast<uint64_t>(got) != size) return broken("it is truncated");
    return bytes;
  }

  template <typename T>
  static std::vector<T> table(std::string_view bytes) {
    std::vector<T> entries(bytes.size() / sizeof(T));
    std::memcpy(entries.data(), bytes.data(), entries.size() * sizeof(T));
    return entries;
  }

  // Where a virtual address lies in the file.
  std::optional<uint64_t> offset_of(uint64_t address) const {
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
          address - segment.p_vaddr < segment.p_filesz) {
        return address - segment.p_vaddr + segment.p_offset;
      }
    }
    return std::nullopt;
  }

  Result<Needs> needs() {
    MINIK_ASSIGN(const std::string start, part(0, sizeof(Elf64_Ehdr)));
    const Elf64_Ehdr header = table<Elf64_Ehdr>(start).front();
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return broken("it has no ELF header");
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_phentsize != sizeof(Elf64_Phdr)) {
      return broken("it is not 64-bit little-endian");
    }
    MINIK_ASSIGN(const std::string segments,
                 part(header.e_phoff, uint64_t{header.e_phnum} * sizeof(Elf64_Phdr)));
    segments_ = table<Elf64_Phdr>(segments);
    Needs needs;
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type == PT_INTERP) {
        MINIK_ASSIGN(const std::string text, part(segment.p_offset, segment.p_filesz));
        needs.interpreter = text.c_str();
      }
      if (segment.p_type == PT_DYNAMIC) MINIK_TRY(read_dynamic(segment, needs));
    }
    return needs;
  }

  Status read_dynamic(const Elf64_Phdr& segment, Needs& needs) {
    MINIK_ASSIGN(const std::string bytes, part(segment.p_offset, segment.p_filesz));
    const auto entries = table<Elf64_Dyn>(bytes);
    uint64_t address = 0, size = 0;
    for (const Elf64_Dyn& entry : entries) {
      if (entry.d_tag == DT_STRTAB) address = entry.d_un.d_ptr;
      if (entry.d_tag == DT_STRSZ) size = entry.d_un.d_val;
    }
    if (size == 0) return {};  // a static position-independent executable
    const auto offset = offset_of(address);
    if (!offset) return broken("its string table is nowhere");
    MINIK_ASSIGN(const std::string strings, part(*offset, size));
    const auto text = [&](uint64_t at) {
      return at < strings.size() ? std::string(strings.c_str() + at) : std::string();
    };
    const std::string origin = path_.substr(0, path_.rfind('/'));
    for (const Elf64_Dyn& entry : entries) {
      if (entry.d_tag == DT_NEEDED) needs.libraries.push_back(text(entry.d_un.d_val));
      if (entry.d_tag != DT_RUNPATH && entry.d_tag != DT_RPATH) continue;
      const std::string folders = text(entry.d_un.d_val);
      for (const std::string_view folder : split(folders, ':')) {
        constexpr std::string_view kOrigin = "$ORIGIN";
        const bool beside = folder.starts_with(kOrigin);
        needs.folders.push_back(beside ? cat(origin, folder.substr(kOrigin.size()))
                                       : std::string(folder));
      }
    }
    return {};
  }

  UniqueFd fd_;
  std::string path_;
  std::vector<Elf64_Phdr> segments_;
};

Result<std::string> locate(const std::string& library, const std::string& wanted_by,
                           const std::vector<std::string>& run_path) {
  std::vector<std::string> folders = run_path;
  folders.insert(folders.end(), std::begin(kFolders), std::end(kFolders));
  if (library.starts_with('/')) return library;
  for (const std::string& folder : folders) {
    const std::string path = cat(folder, "/", library);
    if (!folder.empty() && ::access(path.c_str(), R_OK) == 0) return path;
  }
  return Error(ErrorCode::kNotFound,
               cat(wanted_by, " needs ", library, ", which is in none of ", join(folders, ", "),
                   "; install it or link it statically"));
}

}  // namespace

Result<std::set<std::string>> elf_libraries(const std::string& executable) {
  std::set<std::string> found;
  std::vector<std::string> open = {executable};
  while (!open.empty()) {
    const std::string path = open.back();
    open.pop_back();
    MINIK_ASSIGN(const Needs needs, ElfFile::read(path));
    if (!needs.interpreter.empty() && found.insert(needs.interpreter).second) {
      open.push_back(needs.interpreter);
    }
    for (const std::string& library : needs.libraries) {
      // The loader is a library as well; it is known by its own path.
      const bool loader = std::any_of(found.begin(), found.end(), [&](const std::string& known) {
        return known.ends_with("/" + library);
      });
      if (loader) continue;
      MINIK_ASSIGN(const std::string place, locate(library, path, needs.folders));
      if (found.insert(place).second) open.push_back(place);
    }
  }
  return found;
}

}  // namespace minik::runtime
