"""Every comparison, one after the other."""

from benchmarks import em, nuts, online, vb

if __name__ == "__main__":
    em.main()
    print()
    vb.main()
    print()
    online.main()
    print()
    nuts.main()
