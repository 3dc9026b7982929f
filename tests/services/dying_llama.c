/* llama.cpp that dies at its first batch, in what is started with LD_PRELOAD: as with AMX code that
 * GCC 12 compiled, where weights were rearranged for the processor ($DYING_LLAMA is "repacked"),
 * or however it was loaded ("always"). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static int repacked;

static void *real(const char *name) {
    void *library = dlopen("libggml-base.so.0", RTLD_LAZY | RTLD_NOLOAD);
    void *found = library ? dlsym(library, name) : 0;
    if (!found) abort();
    return found;
}

/* libllama asks for this only where use_extra_bufts is set */
void *ggml_backend_reg_get_proc_address(void *registry, const char *name) {
    void *(*found)(void *, const char *) = real("ggml_backend_reg_get_proc_address");
    if (!strcmp(name, "ggml_backend_dev_get_extra_bufts")) repacked = 1;
    return found(registry, name);
}

int ggml_backend_sched_graph_compute_async(void *scheduler, void *graph) {
    int (*found)(void *, void *) = real("ggml_backend_sched_graph_compute_async");
    if (repacked || !strcmp(getenv("DYING_LLAMA"), "always")) raise(SIGILL);
    return found(scheduler, graph);
}
