#include "pool.hpp"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <cfenv>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "cpus.hpp"

namespace nlvr {
namespace {

// A program that rounds upwards or flushes denormals to zero would otherwise change the bits of a score.
class DefaultRounding {
   public:
    DefaultRounding() {
        std::fegetenv(&saved_);
        std::fesetenv(FE_DFL_ENV);
    }
    ~DefaultRounding() { std::fesetenv(&saved_); }
    DefaultRounding(const DefaultRounding&) = delete;
    DefaultRounding& operator=(const DefaultRounding&) = delete;

   private:
    std::fenv_t saved_;
};

struct Job {
    const std::function<void(std::size_t)>* task;
    std::size_t tasks;
    std::size_t helpers;  // how many more workers may join
    std::size_t next = 0;
    std::size_t running = 0;
    std::exception_ptr failure;
    std::condition_variable finished;
};

class Pool {
   public:
    explicit Pool(std::size_t size) : size_(size) {
        workers_.reserve(size);
        // Signals belong to the threads of the program.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        try {
            for (std::size_t i = 1; i < size; ++i) {
                std::thread worker([this] { work(); });
                workers_.push_back(worker.native_handle());
                worker.detach();
            }
        } catch (const std::system_error&) {
            // A machine out of threads still gets its answer, from the workers there are.
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    std::size_t size() const { return size_; }

    void run(Job& job) {
        std::unique_lock lock(mutex_);
        keep_off_callers_cpu();
        jobs_.push_back(&job);
        wake_.notify_all();
        drain(job, lock);
        job.finished.wait(lock, [&] { return job.running == 0; });
    }

   private:
    // Under a hypervisor the scheduler takes a CPU that sleeps for one that is gone, wakes workers on the caller's, and
    // they wait there until it is done. So they may run on every CPU of the caller's but the one it is on; where these
    // are too few, on all of them. Callers at once would only send them to and fro.
    void keep_off_callers_cpu() {
        constexpr std::size_t kMostMoved = 32;  // each costs a system call
        const int here = sched_getcpu();
        if (!jobs_.empty() || here < 0 || here >= CPU_SETSIZE || workers_.size() > kMostMoved) return;
        cpu_set_t cpus;
        if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) return;
        CPU_CLR(here, &cpus);
        if (static_cast<std::size_t>(CPU_COUNT(&cpus)) < workers_.size()) CPU_SET(here, &cpus);
        if (CPU_EQUAL(&cpus, &workers_cpus_)) return;
        for (const pthread_t worker : workers_) pthread_setaffinity_np(worker, sizeof cpus, &cpus);
        workers_cpus_ = cpus;
    }

    void work() {
        std::unique_lock lock(mutex_);
        for (;;) {
            wake_.wait(lock, [&] { return !jobs_.empty(); });
            Job& job = *jobs_.front();
            if (--job.helpers == 0) jobs_.pop_front();
            drain(job, lock);
        }
    }

    // Runs tasks of the job until none is left to start. Holds the lock outside them.
    void drain(Job& job, std::unique_lock<std::mutex>& lock) {
        while (job.next < job.tasks) {
            const std::size_t task = job.next++;
            ++job.running;
            lock.unlock();
            std::exception_ptr failure;
            try {
                const DefaultRounding rounding;
                (*job.task)(task);
            } catch (...) {
                failure = std::current_exception();
            }
            lock.lock();
            if (failure && !job.failure) {
                job.failure = failure;
                job.next = job.tasks;
            }
            --job.running;
        }
        std::erase(jobs_, &job);
        if (job.running == 0) job.finished.notify_all();
    }

    const std::size_t size_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<pthread_t> workers_;
    cpu_set_t workers_cpus_{};
    std::deque<Job*> jobs_;  // those that still take helpers
};

// Never destroyed: a worker may still sleep in it while the process exits.
Pool* current_pool = nullptr;
std::mutex making_pool;

// A forked child has none of its parent's workers: it forgets the pool and makes its own at first use.
void before_fork() { making_pool.lock(); }
void after_fork() { making_pool.unlock(); }
void after_fork_in_child() {
    current_pool = nullptr;
    making_pool.unlock();
}
[[maybe_unused]] const int forks_are_watched = pthread_atfork(before_fork, after_fork, after_fork_in_child);

Pool& pool() {
    const std::lock_guard lock(making_pool);
    if (current_pool == nullptr) {
        current_pool = new Pool(usable_cpus());
    }
    return *current_pool;
}

}  // namespace

std::size_t pool_size() { return pool().size(); }

std::size_t threads_for(std::optional<std::size_t> wanted, double work) {
    if (wanted) return *wanted;
    constexpr double kWorthAThread = 1 << 18;
    if (work < 2 * kWorthAThread) return 1;
    return static_cast<std::size_t>(std::min(work / kWorthAThread, static_cast<double>(pool_size())));
}

void parallel(std::size_t tasks, std::size_t threads, const std::function<void(std::size_t)>& task) {
    if (tasks == 0) return;
    if (tasks == 1 || threads == 1) {
        const DefaultRounding rounding;
        for (std::size_t i = 0; i < tasks; ++i) task(i);
        return;
    }
    Job job{.task = &task, .tasks = tasks, .helpers = std::min(threads, tasks) - 1, .failure = {}, .finished = {}};
    pool().run(job);
    if (job.failure) std::rethrow_exception(job.failure);
}

void parallel_ranges(std::size_t units, std::size_t threads,
                     const std::function<void(std::size_t begin, std::size_t end)>& range) {
    const std::size_t parts = std::min(units, threads);
    parallel(parts, threads, [&](std::size_t part) { range(units * part / parts, units * (part + 1) / parts); });
}

}  // namespace nlvr
