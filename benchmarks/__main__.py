"""Every comparison, one after the other."""

from benchmarks import convergence, em, gibbs, nuts, online, search, vb

if __name__ == "__main__":
    em.main()
    print()
    convergence.main()
    print()
    vb.main()
    print()
    online.main()
    print()
    gibbs.main()
    print()
    nuts.main()
    print()
    search.main()
