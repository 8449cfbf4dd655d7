#include "libimage/base/unique_fd.h"

#include <fcntl.h>

#include "libimage/base/error.h"

namespace lade {

PipeEnds make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("create pipe");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace lade
