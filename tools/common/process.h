#pragma once
#include <string>
#include <vector>

#include "tools/common/options.h"

namespace lade::tools {

/// The environment variables of this process; the store is not chosen yet.
Environment process_environment();

/// Keeps descriptors 0 to 2 taken where they were closed: a file of the store opened as number 2
/// would get our messages. Reading gives nothing and writing fails, as before. Call first of all.
void reserve_standard_streams() noexcept;

/// Has the allocator give large buffers back to the system as soon as they are freed, instead of
/// keeping holes: a third of the peak memory of a COPY of 100,000 files. Call before threads are
/// made.
void return_large_buffers();

/// Raises the soft limit of open files towards the hard one, to 65536 at most: what a step changed
/// in a deep stack of layers is read with a descriptor for each layer and directory level. Steps
/// inherit the limit unless they are given one.
void allow_many_files() noexcept;

/// Becomes the program at `path`. Returns the errno of the failure.
int execute(const std::string& path, std::vector<std::string> words,
            std::vector<std::string> variables) noexcept;

/// True if this process has the descriptor open.
bool is_open_descriptor(int number) noexcept;

/// Effective user id, of before a user namespace was entered (by this process, or by 'lade unshare'
/// and 'podman unshare').
unsigned process_uid();

}  // namespace lade::tools
