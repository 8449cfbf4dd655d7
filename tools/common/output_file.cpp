#include "tools/common/output_file.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade::tools {
namespace {

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

OutputFile::OutputFile(const std::string& path) {
  if (path == "-") {
    stream_ = std::make_unique<FdSink>(STDOUT_FILENO, "standard output");
    return;
  }
  struct stat found {};
  if (::stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode)) {
    fd_ = UniqueFd(::open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC));
    if (!fd_) throw_errno(cat("open ", quoted(path)));
    stream_ = std::make_unique<FdSink>(fd_.get(), path);
    return;
  }
  const std::size_t slash = path.rfind('/');
  dir_ = open_dir(directory_of(path));
  file_ = std::make_unique<AtomicFile>(dir_,
                                       slash == std::string::npos ? path : path.substr(slash + 1));
}

void OutputFile::write(ByteView data) {
  if (stream_) {
    stream_->write(data);
  } else {
    file_->write(data);
  }
}

void OutputFile::commit() {
  if (file_) file_->commit();
}

void check_writable(const std::string& path) {
  if (path == "-") return;
  struct stat found {};
  const bool exists = ::stat(path.c_str(), &found) == 0;
  if (exists && S_ISDIR(found.st_mode)) throw_errno(cat("write ", quoted(path)), EISDIR);
  const bool in_place = exists && !S_ISREG(found.st_mode);
  const std::string asked = in_place ? path : directory_of(path);
  if (::access(asked.c_str(), in_place ? W_OK : W_OK | X_OK) != 0) {
    throw_errno(cat("open ", quoted(asked)));
  }
}

void write_text_file(const std::string& path, std::string_view text) {
  OutputFile file(path);
  file.write(bytes_of(text));
  file.commit();
}

UniqueFd open_log(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!file) throw_errno(cat("open log ", quoted(path)));
  return file;
}

std::string read_input(const std::string& path, std::uint64_t limit) {
  if (path != "-") return read_file(path, limit);
  UniqueFd input(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
  if (!input) throw_errno("read standard input");
  FdSource source(std::move(input), "standard input");
  return read_all(source, limit, "standard input");
}

}  // namespace lade::tools
