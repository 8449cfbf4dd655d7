#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libimage/io/atomic_file.h"

namespace lade::tools {

/// The file that the user named, "-" for standard output: a regular one appears whole at commit()
/// or not at all; anything else (a pipe, /dev/stdout) is written to as it is, as a new file in its
/// place would take it away from all.
class OutputFile final : public Sink {
 public:
  explicit OutputFile(const std::string& path);
  void write(ByteView data) override;
  void commit();

 private:
  DirFd dir_;
  UniqueFd fd_;
  std::unique_ptr<AtomicFile> file_;
  std::unique_ptr<FdSink> stream_;
};

/// Throws Error unless an OutputFile of that path can be expected to work: asked before long work.
void check_writable(const std::string& path);

/// Writes `text` to the OutputFile of that path.
void write_text_file(const std::string& path, std::string_view text);

/// Opens a log that the user named, made where it is not, to write at its end.
UniqueFd open_log(const std::string& path);

/// The file that the user named, "-" for standard input; more than `limit` bytes are
/// Error{limit_exceeded}.
std::string read_input(const std::string& path, std::uint64_t limit);

}  // namespace lade::tools
